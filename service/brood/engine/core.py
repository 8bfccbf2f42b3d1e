"""The heart: plan → execute → commit."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from brood.engine.admission import Permit
from brood.engine.plan import StepPlan, StepReport
from brood.engine.scheduler import Scheduler, Told

Execute = Callable[[StepPlan], Awaitable[StepReport]]
Watch = Callable[
    [StepPlan, StepReport, float], None
]  # with the error of the predicted time, |observed / predicted − 1|


class EngineCore:
    """One device's engine: a scheduler, and a way to execute its plans."""

    def __init__(self, scheduler: Scheduler, execute: Execute, clock: Callable[[], float], watch: Watch) -> None:
        self.scheduler = scheduler
        self._execute = execute
        self._clock = clock
        self._watch = watch

    def submit(self, permit: Permit) -> None:
        """Queue an admitted job."""
        self.scheduler.add(permit.job)

    async def step(self) -> tuple[bool, list[Told]]:
        """Make one graph call, if there is one to make now; say whether one was made and what happened to whom."""
        now = self._clock()
        told = self.scheduler.expire(now)
        plan = self.scheduler.plan(now)
        if plan is None:
            return False, told
        report = await self._execute(plan)
        error = plan.model.costs.observe(plan.group.graph, plan.bucket, report.seconds)
        self._watch(plan, report, error)
        return True, told + self.scheduler.commit(plan, report)
