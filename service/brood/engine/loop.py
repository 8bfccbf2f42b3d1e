"""The engine as it lives in a process: lanes that plan, call graphs and commit; one channel per request."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from brood.engine.admission import Admission
from brood.engine.ahead import Ahead
from brood.engine.lane import Common, Flight, Lane
from brood.engine.model import EngineModel
from brood.engine.plan import StepPlan, StepReport
from brood.engine.rows import make_job
from brood.engine.runs import goes_by
from brood.engine.scheduler import Scheduler
from brood.engine.stream import EventStream
from brood.engine.telling import Told
from brood.protocol.errors import Internal, NotReady, RuntimeFailed
from brood.protocol.events import Accepted, Determinism, Event, Failed
from brood.protocol.requests import Generation, Priority

log = logging.getLogger(__name__)


class EngineObserver(Protocol):
    """Who counts what the engine does; called on the engine's thread, must be quick."""

    def stepped(self, model: str, graph: str, rows: int, bucket: int, calls: int, seconds: float, error: float) -> None:
        """A graph was called, once or several times for the same rows.

        Args:
            model, graph: which.
            rows, bucket: so many rows, filled up to the bucket.
            calls: so often.
            seconds: a call took.
            error: of the predicted time, |observed / predicted − 1|.
        """
        ...

    def queued(self, rows: int, backlog_s: float) -> None:
        """So many accepted rows have not begun; all that is accepted takes so many predicted seconds."""
        ...

    def wasted(self, seconds: float) -> None:
        """So many predicted seconds went into rows of requests that then failed or were given up."""
        ...


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """How the engine schedules, and what it lets in."""

    max_backlog_s: float = 60.0  # predicted seconds of work that may wait
    max_held_bytes: int = 2**30  # inputs and samples of all that runs
    max_wait_s: float = 0.0  # for so long a call that would not be full waits for more rows
    lanes: int = 1  # graph calls at once
    hang_s: float = 60.0  # a graph call that takes longer than this, and than HANGS times what it should, hangs


LOOK_S = 0.1  # how often it is looked whether a graph call hangs; while one does, whether deadlines have passed


class Engine:
    """Runs generations of any models on one device.

    Owned by the event loop that calls `start`; every method is called on that loop.

    Attributes:
        now: the engine's clock, in seconds.
    """

    def __init__(self, observer: EngineObserver, options: EngineOptions) -> None:
        self.now = time.monotonic
        self._observer = observer
        self._options = options
        self._admission = Admission(options.max_backlog_s, options.max_held_bytes)
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="brood-noise")
        self._common = Common(Scheduler(options.max_wait_s, options.lanes))
        lane = partial(Lane, self._common, Ahead(self._threads), options.hang_s, self._watch, self._hand_over)
        self._lanes = [lane() for _ in range(options.lanes)]
        self._begun, self._broken, self._waking, self._working = False, False, False, options.lanes
        self._streams: dict[str, EventStream] = {}
        self._loop: asyncio.AbstractEventLoop
        self._ended = asyncio.Event()
        self._look: asyncio.TimerHandle
        self._watching = threading.Lock()
        self._wasted_s = 0.0

    @property
    def alive(self) -> bool:
        """Whether the engine works and the device answers."""
        return self._begun and not self._broken and not self._ended.is_set() and not self._hangs

    @property
    def _hangs(self) -> bool:
        return any(lane.flight is not None and lane.flight is lane.given_up for lane in self._lanes)

    @property
    def backlog_s(self) -> Mapping[Priority, float]:
        """Class → predicted device seconds of all that is accepted and not yet made."""
        return dict(self._common.scheduler.backlog_s)

    def start(self) -> None:
        """Begin to work."""
        self._loop = asyncio.get_running_loop()
        for number, lane in enumerate(self._lanes):
            threading.Thread(target=self._run, args=(lane,), name=f"brood-engine-{number}", daemon=True).start()
        self._begun = True
        self._look_later()

    async def stop(self) -> None:
        """Let the call in flight end unless it hangs, fail what is left, and close the threads."""
        if self._begun:
            with self._common.lock:
                self._stop_lanes()
            while not self._ended.is_set() and not self._hangs:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._ended.wait(), LOOK_S)
            self._look.cancel()
        for stream in self._streams.values():
            stream.tell(Failed(NotReady("the server is stopping")))
        self._threads.shutdown()

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
        now = self.now()
        job = make_job(generation, model, now)
        scheduler = self._common.scheduler
        with self._common.lock:
            if generation.request_id in scheduler.jobs:
                raise Internal(f"a request of the id {generation.request_id!r} is running")
            scheduler.add(self._admission.admit(job, scheduler, now).job)
            self._tell_queue()
            flights = [lane.flight for lane in self._lanes]
            waits = all(flight is not None and goes_by(flight.plan, job) for flight in flights)
        if not (waits or self._waking):
            self._waking = True
            self._loop.call_soon(self._wake)
        stream = self._streams[generation.request_id] = EventStream(partial(self._forget, generation.request_id))
        stream.tell(_accepted(generation, determinism))
        return stream

    def cancel(self, request_id: str) -> bool:
        """End a generation; False if there is none of that id."""
        with self._common.lock:
            told = self._common.scheduler.cancel(request_id)
            self._common.news += 1
        self._tell(told)
        return bool(told)

    def forget(self, model: EngineModel) -> None:
        """Hold a model no longer than its generations run; none is submitted any more."""
        with self._common.lock:
            self._common.scheduler.forget(model)

    def _wake(self) -> None:
        """There is more to do, perhaps for several requests that have come at once."""
        self._waking = False
        with self._common.lock:
            self._common.notify()

    def _forget(self, request_id: str) -> None:
        """The caller has gone or has seen the last event."""
        self._streams.pop(request_id, None)
        if request_id in self._common.scheduler.jobs:
            self.cancel(request_id)

    def _run(self, lane: Lane) -> None:
        """What a lane's thread does."""
        try:
            lane.run()
        except Exception as error:
            log.exception("the engine stops")
            self._broken = True
            with self._common.lock:
                self._hand_over()
                self._stop_lanes()
            self._on_loop(self._fail_all, error)
        finally:
            with self._common.lock:
                self._hand_over()
                self._working -= 1
                if not self._working:
                    self._on_loop(self._ended.set)

    def _stop_lanes(self) -> None:
        self._common.stopping = True
        self._common.notify()

    def _hand_over(self) -> None:
        """What has happened goes to the event loop."""
        untold = self._common.untold
        if untold:
            self._tell_queue()
            self._on_loop(self._tell, list(untold))
            untold.clear()

    def _on_loop(self, call: Callable[..., object], *given: object) -> None:
        """Call something there. A loop that was closed while a graph call hung has nobody left to be told."""
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(call, *given)

    def _tell_queue(self) -> None:
        scheduler = self._common.scheduler
        self._observer.queued(scheduler.rows_waiting, sum(scheduler.backlog_s.values()))
        if scheduler.wasted_s > self._wasted_s:
            self._observer.wasted(scheduler.wasted_s - self._wasted_s)
            self._wasted_s = scheduler.wasted_s

    def _tell(self, told: list[Told]) -> None:
        for request_id, event in told:
            stream = self._streams.get(request_id)
            if stream is not None:
                stream.tell(event)

    def _fail_all(self, error: Exception) -> None:
        """The engine itself is broken: nobody waits for ever; health checks see `alive` turn False."""
        for stream in self._streams.values():
            stream.tell(Failed(Internal(f"the engine stopped: {type(error).__name__}")))

    def _look_later(self) -> None:
        self._look = self._loop.call_later(min(LOOK_S, self._options.hang_s), self._look_at_device)

    def _look_at_device(self) -> None:
        """Is a graph call in flight for too long? While one hangs, no step ends requests whose deadline passes."""
        told, now = list[Told](), self.now()
        with self._common.lock:
            if self._hangs:
                told += self._common.scheduler.expire(now)
            for lane in self._lanes:
                flight = lane.flight
                if flight is not None and flight is not lane.given_up and now > flight.began + flight.longest_s:
                    told += self._give_up(lane, flight)
        self._tell(told)
        self._look_later()

    def _give_up(self, lane: Lane, flight: Flight) -> list[Told]:
        """A graph call does not come back: its requests fail, and others are refused until it does."""
        plan, seconds = flight.plan, flight.longest_s
        log.error("graph %s of %s has not come back for %.3g s", plan.group.graph, plan.model.name, seconds)
        lane.given_up = flight
        self._common.news += 1
        failed = RuntimeFailed(f"the graph call did not end within {seconds:.3g} s")
        return self._common.scheduler.fail(plan.rows, failed)

    def _watch(self, plan: StepPlan, report: StepReport, error: float) -> None:
        seconds = report.seconds / report.steps
        with self._watching:
            self._observer.stepped(
                plan.model.name, plan.group.graph, plan.size, plan.bucket, report.steps, seconds, error
            )
        with self._common.lock:
            self._tell_queue()


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
