"""The engine as it lives in a process: one asyncio owner, one execution thread, one channel per request."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

from brood.engine.admission import Admission
from brood.engine.core import EngineCore
from brood.engine.executor import Executor
from brood.engine.model import EngineModel
from brood.engine.plan import StepPlan, StepReport
from brood.engine.rows import make_job
from brood.engine.scheduler import Scheduler, Told
from brood.protocol.errors import Internal, NotReady, RuntimeFailed
from brood.protocol.events import Accepted, Determinism, Done, Event, Failed, Preview, Progress
from brood.protocol.requests import Generation

log = logging.getLogger(__name__)


class EngineObserver(Protocol):
    """Who counts what the engine does; called on the event loop, must be quick."""

    def stepped(self, model: str, graph: str, rows: int, bucket: int, seconds: float, error: float) -> None:
        """A graph was called.

        Args:
            model, graph: which.
            rows, bucket: so many rows, filled up to the bucket.
            seconds: it took.
            error: of the predicted time, |observed / predicted − 1|.
        """
        ...

    def queued(self, rows: int, backlog_s: float) -> None:
        """So many accepted rows have not begun; all that is accepted takes so many predicted seconds."""
        ...

    def wasted(self, seconds: float) -> None:
        """So many predicted seconds went into rows of requests that then failed or were given up."""
        ...


class EventStream(AsyncGenerator[Event, None]):
    """A generation's events until the last one.

    A class, because closing a generator function's iterator that was never begun runs none of its clean-up.
    """

    def __init__(self, channel: asyncio.Queue[Event], forget: Callable[[], None]) -> None:
        self._channel = channel
        self._forget = forget
        self._closed = False

    async def asend(self, value: None) -> Event:
        """The next event.

        Raises:
            StopAsyncIteration: the last one has been given.
        """
        if self._closed:
            raise StopAsyncIteration
        event = await self._channel.get()
        if isinstance(event, Done | Failed):
            await self.aclose()
        return event

    async def athrow(self, typ: Any, val: Any = None, tb: Any = None) -> Event:
        """Close, then raise what was given."""
        await self.aclose()
        raise typ if val is None else val

    async def aclose(self) -> None:
        """Cancel what is left; harmless after the last event."""
        if not self._closed:
            self._closed = True
            self._forget()


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """How the engine schedules, and what it lets in."""

    max_backlog_s: float = 60.0  # predicted seconds of work that may wait
    max_held_bytes: int = 2**30  # inputs and samples of all that runs
    max_wait_s: float = 0.0  # for so long a call that would not be full waits for more rows
    hang_s: float = 60.0  # a graph call that takes longer than this, and than HANGS times what it should, hangs


HANGS = 20
LOOK_S = 0.1  # how often deadlines are looked at while a graph call hangs
SHORT_S = 0.0003  # a call that is over sooner is made at once: handing it to the device's thread and back takes 0.1 ms
UNREAD = 64  # events; whoever reads slower is told of progress and previews no more until it has caught up


class Engine:
    """Runs generations of any models on one device.

    Owned by the event loop that calls `start`; every method is called on that loop.
    """

    def __init__(self, observer: EngineObserver, options: EngineOptions) -> None:
        self._observer = observer
        self._options = options
        self._admission = Admission(options.max_backlog_s, options.max_held_bytes)
        self._ahead = ThreadPoolExecutor(1, thread_name_prefix="brood-noise")
        self._executor = Executor(ahead=self._ahead)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="brood-device")
        self._core = EngineCore(Scheduler(options.max_wait_s), self._execute, time.monotonic, self._watch)
        self._channels: dict[str, asyncio.Queue[Event]] = {}
        self._work = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._hangs = False
        self._watchdog: asyncio.TimerHandle
        self._wasted_s = 0.0

    @property
    def alive(self) -> bool:
        """Whether the loop runs and the device answers."""
        return self._task is not None and not self._task.done() and not self._hangs

    def now(self) -> float:
        """The engine's clock, in seconds."""
        return time.monotonic()

    def start(self) -> None:
        """Begin to work."""
        self._task = asyncio.create_task(self._run(), name="brood-engine")

    async def stop(self) -> None:
        """Let the call in flight end, fail what is left, and close the threads."""
        hangs = self._hangs
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        for channel in self._channels.values():
            channel.put_nowait(Failed(NotReady("the server is stopping")))
        self._thread.shutdown(wait=not hangs)
        self._ahead.shutdown()

    def submit(
        self, generation: Generation, model: EngineModel, determinism: Determinism
    ) -> AsyncGenerator[Event, None]:
        """Queue a generation; closing the iterator cancels what is left of it. The first event is `Accepted`.

        Args:
            generation: what to make.
            model: with which model.
            determinism: what the model guarantees for this operation here.

        Raises:
            InvalidArgument, DeadlineInfeasible, Overloaded: as `Admission.admit`; raised here, before any event.
            NotReady: the engine is not running, or the device does not answer.
        """
        if not self.alive:
            raise NotReady("the device does not answer" if self._hangs else "the engine is not running")
        if generation.request_id in self._core.scheduler.jobs:
            raise Internal(f"a request of the id {generation.request_id!r} is running")
        now = self.now()
        job = make_job(generation, model, now)
        self._core.submit(self._admission.admit(job, self._core.scheduler, now))
        channel = self._channels[generation.request_id] = asyncio.Queue()
        channel.put_nowait(_accepted(generation, determinism))
        self._tell_queue()
        self._work.set()
        return EventStream(channel, lambda: self._forget(generation.request_id))

    def cancel(self, request_id: str) -> bool:
        """End a generation; False if there is none of that id."""
        known = request_id in self._core.scheduler.jobs
        self._tell(self._core.scheduler.cancel(request_id))
        return known

    def _forget(self, request_id: str) -> None:
        """The caller has gone or has seen the last event."""
        self._channels.pop(request_id, None)
        self._core.scheduler.cancel(request_id)

    async def _run(self) -> None:
        try:
            while True:
                self._work.clear()
                worked, told = await self._core.step()
                self._tell(told)
                self._tell_queue()
                if not worked:
                    await self._idle(self._core.scheduler.wake_at)
        except Exception as error:
            self._fail_all(error)
            raise

    async def _idle(self, until: float | None) -> None:
        """Wait for more to do, or for the time of a call that was held back."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._work.wait(), None if until is None else max(0.0, until - self.now()))

    def _tell_queue(self) -> None:
        scheduler = self._core.scheduler
        self._observer.queued(scheduler.rows_waiting, sum(scheduler.backlog_s.values()))
        if scheduler.wasted_s > self._wasted_s:
            self._observer.wasted(scheduler.wasted_s - self._wasted_s)
            self._wasted_s = scheduler.wasted_s

    def _tell(self, told: list[Told]) -> None:
        for request_id, event in told:
            channel = self._channels.get(request_id)
            advice = isinstance(event, Progress | Preview)
            if channel is not None and not (advice and channel.qsize() >= UNREAD):
                channel.put_nowait(event)

    def _fail_all(self, error: Exception) -> None:
        """The engine itself is broken: nobody waits for ever; health checks see `alive` turn False."""
        for channel in self._channels.values():
            channel.put_nowait(Failed(Internal(f"the engine stopped: {type(error).__name__}")))

    async def _execute(self, plan: StepPlan) -> StepReport:
        predicted = plan.model.costs.seconds(plan.group.graph, plan.bucket)
        if predicted < SHORT_S:
            await asyncio.sleep(0)  # let requests come in
            return self._executor.execute(plan, ahead=False)
        loop = asyncio.get_running_loop()
        longest = max(self._options.hang_s, HANGS * predicted)
        self._watchdog = loop.call_later(longest, self._give_up, plan, longest)
        try:
            return await loop.run_in_executor(self._thread, self._executor.execute, plan)
        finally:
            self._watchdog.cancel()
            self._hangs = False

    def _give_up(self, plan: StepPlan, seconds: float) -> None:
        """A graph call does not come back: its requests fail, and others are refused until it does."""
        log.error("graph %s of %s has not come back for %.3g s", plan.group.graph, plan.model.name, seconds)
        self._hangs = True
        error = RuntimeFailed(f"the graph call did not end within {seconds:.3g} s")
        self._tell(self._core.scheduler.fail(plan.rows, error))
        self._look_at_deadlines()

    def _look_at_deadlines(self) -> None:
        """While a graph call hangs no step ends requests whose deadline passes."""
        self._tell(self._core.scheduler.expire(self.now()))
        self._watchdog = asyncio.get_running_loop().call_later(LOOK_S, self._look_at_deadlines)

    def _watch(self, plan: StepPlan, report: StepReport, error: float) -> None:
        self._observer.stepped(plan.model.name, plan.group.graph, plan.size, plan.bucket, report.seconds, error)


def _accepted(generation: Generation, determinism: Determinism) -> Accepted:
    return Accepted(
        generation.request_id,
        generation.model,
        generation.version,
        generation.operation,
        generation.seed,
        generation.n,
        determinism,
    )
