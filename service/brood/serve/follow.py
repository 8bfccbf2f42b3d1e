"""The two who ask the directory, again and again: a worker that reports itself, and an ingress that watches."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Protocol, TypeVar

from brood.protocol.models import ModelStatus
from brood.serve.directory import Glance
from brood.serve.register import Memory, Orders, Place, Report, View
from brood.store.wanted import Wanted

PATIENCE_S = 4.0  # for an answer that should take one second
AGAIN_S = 0.5  # from a failure to the next try
HURRY_S = 0.1  # between two glances while everything stops
T = TypeVar("T")
log = logging.getLogger(__name__)


class Follower(Protocol):
    """A worker as the directory deals with it."""

    def models(self) -> tuple[ModelStatus, ...]:
        """What it has, in whatever state."""
        ...

    def problems(self) -> tuple[str, ...]:
        """What is wrong beside single models."""
        ...

    @property
    def done(self) -> int:
        """The revision of the wanted state that it has come to."""
        ...

    def follow(self, wanted: Wanted) -> None:
        """Something else is wanted; must be quick."""
        ...


class _Asking:
    """Asks until it is stopped; what goes wrong passes, or is told once."""

    def __init__(self) -> None:
        self._task: asyncio.Task[None] | None = None
        self._failing = False

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._ask_on(), name="brood-directory")

    async def stop(self) -> None:
        """End."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    @property
    def alive(self) -> bool:
        """Whether it still asks."""
        return self._task is not None and not self._task.done()

    async def _ask_on(self) -> None:
        while True:
            try:
                await self._once()
                self._failing = False
            except Exception as error:  # whatever Ray raises while the directory is being replaced
                if not self._failing:
                    log.warning("the directory does not answer: %s", _first_line(error))
                self._failing = True
                await asyncio.sleep(AGAIN_S)

    async def _once(self) -> None:
        raise AssertionError("each kind asks in its own way")


class Reporter(_Asking):
    """Tells the directory of a worker, and the worker what is wanted.

    Args:
        place: of the worker.
        base: of the settings that it was started with.
        worker: itself.
        ask: `Directory.report`, from afar.
    """

    def __init__(self, place: Place, base: str, worker: Follower, ask: Callable[[Report], Awaitable[Orders]]) -> None:
        super().__init__()
        self._worker, self._ask = worker, ask
        self._last = Report(place, base, "", -1, 0, None)
        self._told: tuple[ModelStatus, ...] | None = None  # what the directory has been told of the models
        self._wanted: Wanted | None = None
        self.registered = asyncio.Event()  # the directory has answered
        self._news = asyncio.Event()

    def tell(self) -> None:
        """Something has changed that the directory shall know now, and not with the next report."""
        self._news.set()

    async def _once(self) -> None:
        models = self._worker.models()
        report = replace(
            self._last,
            done=self._worker.done,
            problems=self._worker.problems(),
            models=None if models == self._told else models,
        )
        self._told = None  # until it has answered
        self._news.clear()
        orders = await self._answer(report)
        if orders is None:
            return
        self.registered.set()
        self._told = models
        memory = None
        if orders.incarnation != report.incarnation:
            self._told = None  # it is a new one, and knows nothing
            memory = Memory(report.base, self._wanted) if self._wanted else None
        if orders.wanted is not None and not (memory and orders.wanted.revision < memory.wanted.revision):
            self._follow(orders.wanted)
        self._last = replace(
            report,
            incarnation=orders.incarnation,
            revision=self._wanted.revision if self._wanted else -1,
            memory=memory,
        )

    async def _answer(self, report: Report) -> Orders | None:
        """None: there is news to be told before."""
        asking = asyncio.ensure_future(answer(self._ask(report)))
        news = asyncio.ensure_future(self._news.wait())
        try:
            await asyncio.wait([asking, news], return_when=asyncio.FIRST_COMPLETED)
            return asking.result() if asking.done() else None
        finally:
            asking.cancel()
            news.cancel()

    def _follow(self, wanted: Wanted) -> None:
        if self._wanted is None or wanted.revision != self._wanted.revision:
            self._wanted = wanted
            self._worker.follow(wanted)


class Watcher(_Asking):
    """Tells an ingress what the directory knows.

    Args:
        ingress_id: its name.
        running: how many requests are not at their end.
        on_view: takes what there is; called again and again.
        ask: `Directory.watch`, from afar.
    """

    def __init__(
        self,
        ingress_id: str,
        running: Callable[[], int],
        on_view: Callable[[View], Awaitable[None]],
        ask: Callable[[Glance], Awaitable[View]],
    ) -> None:
        super().__init__()
        self._running, self._on_view, self._ask = running, on_view, ask
        self._last = Glance(ingress_id, "", 0, 0)
        self._memory: Memory | None = None

    async def _once(self) -> None:
        view = await answer(self._ask(replace(self._last, running=self._running())))
        other = view.incarnation != self._last.incarnation
        self._last = replace(
            self._last, incarnation=view.incarnation, revision=view.revision, memory=self._memory if other else None
        )
        if other and self._memory is not None:
            self._memory = None  # handed over with the next glance; what that answers is what counts
            return
        self._memory = view.memory
        await self._on_view(view)
        if view.stopping:
            await asyncio.sleep(HURRY_S)


async def answer(call: Awaitable[T]) -> T:
    """What the directory answers, unless it is dead.

    Raises:
        TimeoutError: it is.
    """
    async with asyncio.timeout(PATIENCE_S):
        return await call


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).partition("\n")[0]
