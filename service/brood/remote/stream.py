"""What the reader of a generation holds: events in order, and credit for the workers as they are read."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Protocol

from brood.engine.stream import UNREAD, Reading
from brood.protocol.errors import BroodError
from brood.protocol.events import Accepted, Done, Event, Failed


class Source(Protocol):
    """Where an event came from."""

    def read(self, weight: int) -> None:
        """So much of it has been read."""
        ...


class RemoteStream(Reading):
    """A generation's events until the last one. `Accepted` comes first, however late it is put in.

    Args:
        on_close: called once, when the last event has been read or the reader has left.
    """

    def __init__(self, on_close: Callable[[], None]) -> None:
        super().__init__(on_close)
        self._events: deque[tuple[Event, Source | None, int]] = deque()
        self._refusal: BroodError | None = None
        self._open = False

    @property
    def lags(self) -> bool:
        """Whether there is so much unread that progress and previews are not worth keeping."""
        return len(self._events) >= UNREAD

    def accept(self, event: Accepted) -> None:
        """Now what has been put in may be read."""
        self._events.appendleft((event, None, 0))
        self._open = True
        self._wake()

    def put(self, event: Event, source: Source | None = None, weight: int = 0) -> None:
        """Add an event; when it has been read, ``source`` is told."""
        self._events.append((event, source, weight))
        if self._open:
            self._wake()

    def fail(self, error: BroodError) -> None:
        """The end: raised if nothing was accepted, else the last event."""
        if self._open:
            self.put(Failed(error))
        else:
            self._refusal = error
            self._wake()

    async def __anext__(self) -> Event:
        """See `Reading`.

        Raises:
            BroodError: the generation was refused.
        """
        if self._closed:
            raise StopAsyncIteration
        while not (self._open and self._events):
            if self._refusal is not None:
                await self.aclose()
                raise self._refusal
            await self._woken()
        event, source, weight = self._events.popleft()
        if source is not None:
            source.read(weight)
        elif isinstance(event, Done | Failed):
            await self.aclose()
        return event

    async def aclose(self) -> None:
        """Cancel what is left; harmless after the last event."""
        self._events.clear()
        await super().aclose()
