"""The engine itself, as it is, with a virtual clock for its device."""

from __future__ import annotations

from collections.abc import Coroutine, Generator
from typing import Any

from brood.engine.admission import Admission
from brood.engine.core import EngineCore
from brood.engine.plan import StepPlan, StepReport
from brood.engine.rows import Job, Leg
from brood.engine.scheduler import Scheduler
from brood.engine.telling import Told
from brood.protocol.events import Done, Failed
from brood.protocol.requests import Generation
from brood.sampling.schedules import ONCE
from brood.simulation.kinds import Kind
from brood.simulation.servers import Outcomes, Tally
from brood.simulation.setting import NAME, Device, Setting, legs, simulated_model
from brood.simulation.traces import Arrival

NOTHING: dict[str, Any] = {}  # the outputs of a simulated sample


class _Passing:
    """So many seconds pass."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def __await__(self) -> Generator[float, None, None]:
        yield self._seconds


class StepLevel:
    """A `Server`: rows of all requests share calls, and a free place is taken at the next step."""

    def __init__(self, setting: Setting, outcomes: Outcomes, seed: int) -> None:
        self.tally, self.model = Tally(), simulated_model(setting.curves)
        self._setting, self._outcomes = setting, outcomes
        self._device = Device(setting.curves, setting.noise, seed)
        self._admission = Admission(setting.max_backlog_s, max_held_bytes=1)  # simulated samples hold none
        self._scheduler = Scheduler(setting.max_wait_s)
        self._core = EngineCore(self._scheduler, self._execute, lambda: self._now, self.watch)
        self._legs: dict[Kind, tuple[Leg, ...]] = {}
        self._now = 0.0
        self._step: Coroutine[Any, None, tuple[bool, list[Told]]] | None = None

    @property
    def wake_at(self) -> float | None:
        """See `Server`."""
        return self._scheduler.wake_at

    @property
    def backlog_s(self) -> float:
        """See `Server`."""
        return sum(self._scheduler.backlog_s.values())

    def submit(self, number: int, arrival: Arrival) -> None:
        """See `Server`."""
        job = self._job(str(number), arrival)
        self._core.submit(self._admission.admit(job, self._scheduler, arrival.at))

    def begin(self, now: float) -> float | None:
        """See `Server`."""
        self._step = self._core.step()
        return self._resume(now)

    def end(self, now: float) -> None:
        """See `Server`."""
        self._resume(now)

    def watch(self, plan: StepPlan, report: StepReport, error: float) -> None:
        """A call was made."""
        self.tally.count(1, plan.size, self.model.costs.cap(plan.group.graph), report.seconds)

    def _resume(self, now: float) -> float | None:
        """Let the step go on to where time passes, and say how much; None if it has ended."""
        self._now = now
        if self._step is None:
            raise RuntimeError("no step was begun")
        try:
            seconds: float = self._step.send(None)
        except StopIteration as ended:
            self._tell(ended.value[1])
            return None
        return seconds

    async def _execute(self, plan: StepPlan) -> StepReport:
        seconds = self._device.seconds(plan.group.graph, plan.bucket)
        await _Passing(seconds)
        return StepReport(self._now, seconds, {row: NOTHING for row in plan.rows if row.finishes})

    def _tell(self, told: list[Told]) -> None:
        for name, event in told:
            number = int(name)
            if isinstance(event, Done):
                started = self._outcomes.trace[number].at + 1e-3 * event.usage.queue_ms
                self._outcomes.finish(number, started, self._now)
            elif isinstance(event, Failed):
                self._outcomes.fail(number, event.error)

    def _job(self, name: str, arrival: Arrival) -> Job:
        kind = arrival.kind
        if kind not in self._legs:
            self._legs[kind] = legs(self.model, self._setting.calls(kind))
        deadline = None if kind.deadline_s is None else arrival.at + kind.deadline_s
        asked = (kind.n, 0, 0, NOTHING, NOTHING, deadline, kind.priority, kind.tenant)
        generation = Generation(name, NAME, 1, "generate", *asked)
        return Job(generation, self.model, self._legs[kind], ONCE, arrival.at)
