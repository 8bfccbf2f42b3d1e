"""The heart: plan → execute → commit."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from brood.engine.admission import Permit
from brood.engine.plan import StepPlan, StepReport
from brood.engine.scheduler import Scheduler, Told

Execute = Callable[[StepPlan], Awaitable[StepReport]]
Watch = Callable[[StepPlan, StepReport], None]


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
        """Make one graph call, if any row is runnable; say whether one was made and what happened to whom."""
        told = self.scheduler.expire(self._clock())
        plan = self.scheduler.plan(self._clock())
        if plan is None:
            return False, told
        report = await self._execute(plan)
        self._watch(plan, report)
        return True, told + self.scheduler.commit(plan, report)
