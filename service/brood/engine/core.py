"""The heart: plan → execute → commit."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable

from brood.engine.admission import Permit
from brood.engine.plan import StepPlan, StepReport
from brood.engine.scheduler import Scheduler
from brood.engine.telling import Told

Execute = Callable[[StepPlan], Awaitable[StepReport]]
Watch = Callable[
    [StepPlan, StepReport, float], None
]  # with the error of the predicted time, |observed / predicted − 1|
Tell = Callable[[list[Told]], None]  # called under the lock, so that all is told in its order


class EngineCore:
    """A scheduler, and a way to execute its plans.

    Several of these may share a scheduler and its lock, each on a thread of its own.

    Attributes:
        lock: to be held around every use of the scheduler from outside `step`, which lets go of it while a plan is
            executed.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        execute: Execute,
        clock: Callable[[], float],
        watch: Watch,
        lock: threading.Lock | None = None,
        tell: Tell = lambda told: None,
    ) -> None:
        self.scheduler = scheduler
        self.lock = lock or threading.Lock()
        self._tell = tell
        self._execute = execute
        self._clock = clock
        self._watch = watch

    def submit(self, permit: Permit) -> None:
        """Queue an admitted job."""
        self.scheduler.add(permit.job)

    async def step(self) -> tuple[bool, list[Told]]:
        """Carry out one plan, if there is anything to do now; say whether there was and what happened to whom."""
        with self.lock:
            now = self._clock()
            told = self.scheduler.expire(now)
            plan = self.scheduler.plan(now)
            self._tell(told)
        if plan is None:
            return False, told
        report = await self._execute(plan)
        with self.lock:
            error = plan.model.costs.observe(plan.group.graph, plan.bucket, report.seconds / report.steps)
            committed = self.scheduler.commit(plan, report)
            self._tell(committed)
        self._watch(plan, report, error)
        return True, told + committed
