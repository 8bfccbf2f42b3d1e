"""Calls that come at once go on at once.

gRPC's library takes calls in one by one, each in several turns of the event loop, however many have come in one packet.
If each went on by itself, it would find the engine idle, and the graph would be called for one to four rows at a time:
1.7 times the processor time for a request of the smallest model. Over HTTP, one turn brings all that is there.
"""

from __future__ import annotations

import asyncio

QUIET = 8  # turns of the event loop without a call: no more are being taken in; eight empty turns take 7 us
MOST = 64  # that are let in or have come while others wait: under load without a pause, nobody waits for all


class Arrivals:
    """Of one server. Used by one event loop."""

    def __init__(self) -> None:
        self._seen = 0
        self._waiting: list[asyncio.Future[None]] = []

    def announced(self) -> None:
        """A call was let in; its message is not here yet."""
        self._seen += 1

    async def here(self) -> None:
        """A call's message is here. Returns, for all calls in the same turn, when no more are coming."""
        loop = asyncio.get_running_loop()
        waiter = loop.create_future()
        if not self._waiting:
            loop.call_soon(self._look, loop, self._seen, self._seen, 0)
        self._seen += 1
        self._waiting.append(waiter)
        await waiter

    def _look(self, loop: asyncio.AbstractEventLoop, first: int, seen: int, quiet: int) -> None:
        quiet = quiet + 1 if self._seen == seen else 0
        if quiet < QUIET and self._seen - first < MOST:
            loop.call_soon(self._look, loop, first, self._seen, quiet)
            return
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            if not waiter.done():  # its caller may have gone
                waiter.set_result(None)
