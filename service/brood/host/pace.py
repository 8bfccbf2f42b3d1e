"""How fast a model is loaded while others serve: its graph calls take at most a share of the device's time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import numpy as np

from brood.engine.loop import EngineObserver
from brood.runtimes.base import Arrays, LoadedGraph

SHARE = 0.25
LITTLE_S = 1e-6  # a backlog that is nothing but what sums of fractions leave
LOOK_S = 0.05  # how soon it is noticed that nothing runs any more


class LoadingStopped(Exception):
    """The host stops: the model is not wanted any more. No `BroodError`, for a graph call may fail with those."""


class Pace:
    """Makes whoever loads a model wait between two graph calls, for as long as requests run.

    A request waits for one such call at most, and for a quarter of the time in all.

    Args:
        busy: whether requests run.
        clock: in seconds.
        wait: for so many seconds, or until `stop`; whether it was called.
    """

    def __init__(
        self,
        busy: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.perf_counter,
        wait: Callable[[float], bool] | None = None,
    ) -> None:
        self._stopped = threading.Event()
        self._busy, self._clock, self._wait = busy, clock, wait or self._stopped.wait
        self._owed_s = 0.0

    def stop(self) -> None:
        """Loading ends at its next graph call."""
        self._stopped.set()

    def rest(self) -> None:
        """Wait until the calls made so far were no more than their share.

        Raises:
            LoadingStopped: `stop` was called.
        """
        while self._owed_s > 0 and self._busy():
            length = min(self._owed_s, LOOK_S)
            self._wait(length)
            self._owed_s -= length
        self._owed_s = 0.0
        if self._stopped.is_set():
            raise LoadingStopped

    def spent(self, seconds: float) -> None:
        """A graph call took so long."""
        self._owed_s += seconds * (1 / SHARE - 1)

    def graph(self, graph: LoadedGraph) -> LoadedGraph:
        """The same graph, called at this pace."""
        return _Paced(graph, self, self._clock)


class _Paced:
    """A `LoadedGraph`."""

    def __init__(self, graph: LoadedGraph, pace: Pace, clock: Callable[[], float]) -> None:
        self.spec = graph.spec
        self._graph, self._pace, self._clock = graph, pace, clock

    def __call__(self, inputs: Arrays) -> dict[str, np.ndarray]:
        """See `LoadedGraph`."""
        self._pace.rest()
        began = self._clock()
        try:
            return self._graph(inputs)
        finally:
            self._pace.spent(self._clock() - began)


class Busy:
    """An `EngineObserver` that knows whether requests run, and tells another one everything.

    It is read on the thread that loads models.
    """

    def __init__(self, observer: EngineObserver) -> None:
        self._observer = observer
        self.busy = False

    def stepped(self, model: str, graph: str, rows: int, bucket: int, calls: int, seconds: float, error: float) -> None:
        """See `EngineObserver`."""
        self._observer.stepped(model, graph, rows, bucket, calls, seconds, error)

    def queued(self, rows: int, backlog_s: float) -> None:
        """See `EngineObserver`."""
        self.busy = backlog_s > LITTLE_S
        self._observer.queued(rows, backlog_s)

    def wasted(self, seconds: float) -> None:
        """See `EngineObserver`."""
        self._observer.wasted(seconds)
