"""An observer that remembers how requests ended, and lets a test wait for it."""

from __future__ import annotations

import asyncio
from typing import Literal

PATIENCE_S = 5.0

End = tuple[str, str, str, str, int]  # model, operation, protocol, code, rows


class Ends:
    """Implements `brood.dataplane.RequestObserver`.

    Attributes:
        seen: how every request ended, in order.
    """

    def __init__(self) -> None:
        self.seen: list[End] = []
        self._new: asyncio.Queue[End] = asyncio.Queue()

    def finished(self, model: str, operation: str, protocol: str, code: str, seconds: float, rows: int) -> None:
        """See `RequestObserver.finished`."""
        end = (model, operation, protocol, code, rows)
        self.seen.append(end)
        self._new.put_nowait(end)

    def rejected(self, model: str, operation: str, protocol: str, reason: str) -> None:
        """See `RequestObserver.rejected`."""

    def timed(self, model: str, operation: str, part: str, seconds: float) -> None:
        """See `RequestObserver.timed`."""

    async def next(self) -> End:
        """The end of the first request that has not been asked for yet; waits for it."""
        async with asyncio.timeout(PATIENCE_S):
            return await self._new.get()


class Gate(asyncio.Event):
    """What a generation is held at (`FakeBackend.held`); a test can wait until it gets there."""

    def __init__(self) -> None:
        super().__init__()
        self.reached = asyncio.Event()

    async def wait(self) -> Literal[True]:
        """Wait until the gate is opened."""
        self.reached.set()
        return await super().wait()
