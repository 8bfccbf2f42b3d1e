"""A running event loop whose clock a test moves on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class LoopClock:
    """What a loop takes for the time: the real one, and what was skipped."""

    def __init__(self, real: Callable[[], float]) -> None:
        self._real, self._skipped_s = real, 0.0

    def skip(self, seconds: float) -> None:
        """Let time pass at once."""
        self._skipped_s += seconds

    def __call__(self) -> float:
        return self._real() + self._skipped_s


@contextmanager
def loop_clock() -> Iterator[LoopClock]:
    """While it lasts, the running loop goes by a clock that can be moved on."""
    loop = asyncio.get_running_loop()
    clock = LoopClock(loop.time)
    vars(loop)["time"] = clock
    try:
        yield clock
    finally:
        del vars(loop)["time"]
