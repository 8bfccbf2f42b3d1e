"""Numbers that wait in this process until they are written: writing costs ten times what counting does.

Each has one number of a metric of `prometheus_client` behind it, whose files are shared with the exporter.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from threading import Event, Thread
from typing import Any

from prometheus_client import Histogram

WRITE_S = 0.25  # a process that is killed takes the counts of this time with it


class Amount:
    """What a counter has grown by."""

    __slots__ = ("_child", "_more")

    def __init__(self, child: Any) -> None:
        self._child, self._more = child, 0.0

    def add(self, more: float) -> None:
        """Count."""
        self._more += more

    def write(self) -> None:
        """Hand it on."""
        if self._more:
            self._child.inc(self._more)
            self._more = 0.0


class Level:
    """What a gauge was last."""

    __slots__ = ("_child", "_last", "_written")

    def __init__(self, child: Any) -> None:
        self._child, self._last, self._written = child, 0.0, 0.0

    def set(self, value: float) -> None:
        """It is so much now."""
        self._last = value

    def write(self) -> None:
        """Hand it on."""
        if self._last != self._written:
            self._child.set(self._last)
            self._written = self._last


class Spread:
    """What a histogram has seen."""

    __slots__ = ("_bounds", "_child", "_counts", "_seen", "_total")

    def __init__(self, child: BulkHistogram, bounds: Sequence[float]) -> None:
        self._child, self._bounds = child, bounds
        self._clear()

    def observe(self, value: float, times: int = 1) -> None:
        """Take note of a value."""
        self._counts[bisect_left(self._bounds, value)] += times
        self._total += value * times
        self._seen = True

    def write(self) -> None:
        """Hand it on."""
        if self._seen:
            self._child.add(self._counts, self._total)
            self._clear()

    def _clear(self) -> None:
        self._counts, self._total, self._seen = [0] * (len(self._bounds) + 1), 0.0, False


class BulkHistogram(Histogram):
    """A histogram that takes many values at once."""

    def add(self, counts: Sequence[int], total: float) -> None:
        """Count values.

        Args:
            counts: how many fall into each bucket, the last without an upper bound.
            total: their sum.
        """
        self._sum.inc(total)
        for bucket, count in zip(self._buckets, counts, strict=True):
            if count:
                bucket.inc(count)


class Writer:
    """Calls ``write`` again and again on a thread of its own, and once more when it is closed."""

    def __init__(self, write: Callable[[], None], every_s: float = WRITE_S) -> None:
        self._write, self._every_s = write, every_s
        self._closing = Event()
        self._thread = Thread(target=self._run, name="brood-counts", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Nothing is left behind."""
        self._closing.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._closing.wait(self._every_s):
            self._write()
        self._write()
