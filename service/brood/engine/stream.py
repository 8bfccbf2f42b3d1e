"""What the reader of a generation holds."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections import deque
from collections.abc import AsyncGenerator, Callable
from typing import Any

from brood.protocol.events import Done, Event, Failed, Preview, Progress

UNREAD = 64  # events; whoever reads slower is told of progress and previews no more until it has caught up


class Reading(AsyncGenerator[Event, None]):
    """A generation's events until the last one, for one reader.

    A class, because closing a generator function's iterator that was never begun runs none of its clean-up, and its
    `__anext__` is the reader's own, without a coroutine more for every event.

    Args:
        on_close: called once, when the last event has been read or the reader has left.
    """

    def __init__(self, on_close: Callable[[], None]) -> None:
        self._on_close = on_close
        self._closed = False
        self._waiter: asyncio.Future[None] | None = None

    @abstractmethod
    async def __anext__(self) -> Event:
        """The next event.

        Raises:
            StopAsyncIteration: the last one has been given.
        """

    async def asend(self, value: None) -> Event:
        """As `__anext__`."""
        return await self.__anext__()

    async def athrow(self, typ: Any, val: Any = None, tb: Any = None) -> Event:
        """Close, then raise what was given."""
        await self.aclose()
        raise typ if val is None else val

    async def aclose(self) -> None:
        """Cancel what is left; harmless after the last event."""
        if not self._closed:
            self._closed = True
            self._on_close()

    async def _woken(self) -> None:
        """Wait for `_wake`."""
        self._waiter = asyncio.get_running_loop().create_future()
        await self._waiter

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class EventStream(Reading):
    """What the engine tells of a generation."""

    def __init__(self, on_close: Callable[[], None]) -> None:
        super().__init__(on_close)
        self._told = deque[Event]()

    def tell(self, event: Event) -> None:
        """Something has happened. Who reads slowly is not told of what is no more than news."""
        if len(self._told) < UNREAD or not isinstance(event, Progress | Preview):
            self._told.append(event)
            self._wake()

    async def __anext__(self) -> Event:
        """See `Reading`."""
        if self._closed:
            raise StopAsyncIteration
        while not self._told:
            await self._woken()
        event = self._told.popleft()
        if isinstance(event, Done | Failed):
            await self.aclose()
        return event
