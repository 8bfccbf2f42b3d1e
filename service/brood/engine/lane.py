"""A lane: a thread that plans, calls graphs and commits, beside others that do the same for one scheduler.

Between two graph calls nothing is handed from thread to thread: the thread that has called a graph commits and plans
the next call itself, and only what callers are to be told goes to the event loop, as one message a step. (A hand-over
to a thread and back took 0.4 ms of each step beside busy callers.) It goes there when the next call is ready to be
made: callers are busy with it while the device computes, and not in the way of who plans (one interpreter lock).

One lane is what a GPU needs. On the CPU, two lanes with one thread a call each make more of two cores than one lane
whose calls take two threads: those wait for each other at every operator, and so for whatever else the cores do.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from brood.engine.ahead import Ahead
from brood.engine.core import EngineCore, Watch
from brood.engine.executor import Executor
from brood.engine.plan import StepPlan, StepReport
from brood.engine.scheduler import Scheduler
from brood.engine.telling import Told

HANGS = 20


@dataclass(slots=True)
class Common:
    """What the lanes of an engine share."""

    scheduler: Scheduler  # used under the lock
    lock: threading.Lock = field(default_factory=threading.Lock)
    changed: threading.Condition = field(init=False)
    news: int = 0  # goes up when something has come or was given up
    stopping: bool = False
    untold: list[Told] = field(default_factory=list)  # what has happened, in its order, for the event loop

    def __post_init__(self) -> None:
        self.changed = threading.Condition(self.lock)

    def notify(self) -> None:
        """Something has come or was given up; to be called under the lock."""
        self.news += 1
        self.changed.notify_all()


@dataclass(frozen=True, slots=True)
class Flight:
    """A graph call that is being made."""

    plan: StepPlan
    began: float
    longest_s: float  # after so long it hangs


class Lane:
    """One of them.

    Args:
        common: what it shares with the others.
        ahead: where noise is drawn ahead.
        hang_s: a graph call that takes longer than this, and than `HANGS` times what it should, hangs.
        watch: told of every plan that was carried out.
        hand_over: tells callers what has happened; called under the lock.

    Attributes:
        flight: the graph call that is being made, if any.
        given_up: the last one that hung.
    """

    def __init__(
        self, common: Common, ahead: Ahead, hang_s: float, watch: Watch, hand_over: Callable[[], None]
    ) -> None:
        self.flight: Flight | None = None
        self.given_up: Flight | None = None
        self._common, self._hang_s, self._hand_over = common, hang_s, hand_over
        self._seen = 0
        self._executor = Executor(ahead=ahead, on_call=self._call, interrupted=self._interrupted)
        self._core = EngineCore(
            common.scheduler, self._execute, time.monotonic, watch, common.lock, common.untold.extend
        )

    def run(self) -> None:
        """Work until the engine stops."""
        while not self._common.stopping:
            self._seen = self._common.news
            worked, _ = _result(self._core.step())
            if not worked:
                self._wait()

    def _interrupted(self) -> bool:
        return self._common.news != self._seen or self._common.stopping

    def _wait(self) -> None:
        """For something to do, or for the time of a call that was held back."""
        common = self._common
        with common.changed:
            self._hand_over()
            common.scheduler.idle += 1
            until = common.scheduler.wake_at
            timeout = None if until is None else max(0.0, until - time.monotonic())
            common.changed.wait_for(lambda: self._interrupted() or common.scheduler.more, timeout)
            common.scheduler.idle -= 1

    async def _execute(self, plan: StepPlan) -> StepReport:
        predicted_s = plan.model.costs.seconds(plan.group.graph, plan.bucket)
        self.flight = Flight(plan, time.monotonic(), max(self._hang_s, HANGS * predicted_s))
        try:
            return self._executor.execute(plan)
        finally:
            self.flight = None

    def _call(self) -> None:
        """A graph call begins."""
        if (flight := self.flight) is not None:
            self.flight = Flight(flight.plan, time.monotonic(), flight.longest_s)
        common = self._common
        if common.untold or (common.scheduler.idle and common.scheduler.more):
            with common.lock:
                self._hand_over()
                if common.scheduler.more:
                    common.changed.notify_all()


def _result(step: Coroutine[Any, Any, tuple[bool, list[Told]]]) -> tuple[bool, list[Told]]:
    """What a step comes to that waits for nothing but this thread's own calls."""
    try:
        step.send(None)
    except StopIteration as ended:
        worked, told = ended.value
        return worked, told
    raise RuntimeError("the step waits for something")
