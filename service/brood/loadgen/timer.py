"""Waiting for a moment, to some microseconds: timers of event loops are a millisecond coarse."""

from __future__ import annotations

import asyncio
import ctypes
import os
import sys
from collections.abc import Callable
from typing import Protocol

MONOTONIC, NONBLOCK = 1, os.O_NONBLOCK
NS = 10**9


class Timer(Protocol):
    """Waits for moments, one after another."""

    def now(self) -> float:
        """Seconds, of no particular origin."""
        ...

    async def until(self, moment: float) -> None:
        """Come back then, or at once if it has passed."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


class LoopTimer:
    """By the event loop's own timers and clock."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()

    def now(self) -> float:
        """See `Timer`."""
        return self._loop.time()

    async def until(self, moment: float) -> None:
        """See `Timer`."""
        await asyncio.sleep(max(0.0, moment - self.now()))

    def close(self) -> None:
        """See `Timer`."""


class _Spec(ctypes.Structure):
    """struct itimerspec (timerfd_settime(2)): interval and first expiry, each in seconds and nanoseconds."""

    _fields_ = (("every_s", ctypes.c_long), ("every_ns", ctypes.c_long), ("s", ctypes.c_long), ("ns", ctypes.c_long))


class KernelTimer:
    """By a timer of Linux that the event loop watches as a file.

    Args:
        now: the monotonic clock.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._file = self._libc.timerfd_create(MONOTONIC, NONBLOCK)
        if self._file < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")
        self._loop, self._rung = asyncio.get_running_loop(), asyncio.Event()
        self._loop.add_reader(self._file, self._ring)

    async def until(self, moment: float) -> None:
        """See `Timer`."""
        left_ns = int((moment - self.now()) * NS)
        if left_ns <= 0:
            await asyncio.sleep(0)
            return
        self._rung.clear()
        spec = _Spec(0, 0, left_ns // NS, left_ns % NS)
        if self._libc.timerfd_settime(self._file, 0, ctypes.byref(spec), None) < 0:
            raise OSError(ctypes.get_errno(), "timerfd_settime")
        await self._rung.wait()

    def close(self) -> None:
        """See `Timer`."""
        self._loop.remove_reader(self._file)
        os.close(self._file)

    def _ring(self) -> None:
        os.read(self._file, 8)
        self._rung.set()


def best_timer(now: Callable[[], float]) -> Timer:
    """The most exact timer of this system, for the running loop."""
    return KernelTimer(now) if sys.platform == "linux" else LoopTimer()
