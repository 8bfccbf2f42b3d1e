"""The engine as it lives in a process: one asyncio owner, one execution thread, one channel per request."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

from brood.engine.admission import Admission
from brood.engine.core import EngineCore
from brood.engine.executor import Executor
from brood.engine.model import EngineModel
from brood.engine.plan import StepPlan, StepReport
from brood.engine.rows import make_job
from brood.engine.scheduler import Scheduler, Told
from brood.protocol.errors import Internal, NotReady
from brood.protocol.events import Accepted, Determinism, Done, Event, Failed
from brood.protocol.requests import Generation


class EngineObserver(Protocol):
    """Who counts what the engine does; called on the event loop, must be quick."""

    def stepped(self, model: str, graph: str, rows: int, bucket: int, seconds: float) -> None:
        """A graph was called."""
        ...

    def queued(self, rows: int) -> None:
        """So many accepted rows wait for a place."""
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


class Engine:
    """Runs generations of any models on one device.

    Owned by the event loop that calls `start`; every method is called on that loop.
    """

    def __init__(self, observer: EngineObserver, max_queued_rows: int) -> None:
        self._observer = observer
        self._admission = Admission(max_queued_rows)
        self._executor = Executor()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="brood-device")
        self._core = EngineCore(Scheduler(), self._execute, time.monotonic, self._watch)
        self._channels: dict[str, asyncio.Queue[Event]] = {}
        self._work = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def alive(self) -> bool:
        """Whether the loop runs."""
        return self._task is not None and not self._task.done()

    def now(self) -> float:
        """The engine's clock, in seconds."""
        return time.monotonic()

    def start(self) -> None:
        """Begin to work."""
        self._task = asyncio.create_task(self._run(), name="brood-engine")

    async def stop(self) -> None:
        """Let the call in flight end, fail what is left, and close the thread."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        for channel in self._channels.values():
            channel.put_nowait(Failed(NotReady("the server is stopping")))
        self._thread.shutdown(wait=True)

    def submit(
        self, generation: Generation, model: EngineModel, determinism: Determinism
    ) -> AsyncGenerator[Event, None]:
        """Queue a generation; closing the iterator cancels what is left of it. The first event is `Accepted`.

        Args:
            generation: what to make.
            model: with which model.
            determinism: what the model guarantees for this operation here.

        Raises:
            Overloaded: the queue is full; raised here, before any event.
            NotReady: the engine is not running.
        """
        if not self.alive:
            raise NotReady("the engine is not running")
        job = make_job(generation, model, self.now())
        self._core.submit(self._admission.admit(job, self._core.scheduler))
        channel = self._channels[generation.request_id] = asyncio.Queue()
        channel.put_nowait(_accepted(generation, determinism))
        self._observer.queued(self._core.scheduler.rows_waiting)
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
                self._observer.queued(self._core.scheduler.rows_waiting)
                if not worked:
                    await self._work.wait()
        except Exception as error:
            self._fail_all(error)
            raise

    def _tell(self, told: list[Told]) -> None:
        for request_id, event in told:
            if request_id in self._channels:
                self._channels[request_id].put_nowait(event)

    def _fail_all(self, error: Exception) -> None:
        """The engine itself is broken: nobody waits for ever; health checks see `alive` turn False."""
        for channel in self._channels.values():
            channel.put_nowait(Failed(Internal(f"the engine stopped: {type(error).__name__}")))

    async def _execute(self, plan: StepPlan) -> StepReport:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._executor.execute, plan)

    def _watch(self, plan: StepPlan, report: StepReport) -> None:
        self._observer.stepped(plan.model.name, plan.group.graph, len(plan.rows), plan.bucket, report.seconds)


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
