"""What has been done for each model since the process began, for clients that ask for statistics over the wire.

Numbers for operators are in ``brood.observe``; these are a few totals that one process keeps of itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from brood.engine.loop import EngineObserver
from brood.protocol.events import Usage

NS_PER_S = 10**9
NS_PER_MS = 10**6


@dataclass(slots=True)
class Total:
    """So many of something, and the time they took together."""

    count: int = 0
    ns: int = 0

    def add(self, ns: float, times: int = 1) -> None:
        """So many more, each of which took so long."""
        self.count += times
        self.ns += round(ns * times)


@dataclass(slots=True)
class ModelStatistics:
    """Totals of one version of one model."""

    last_ms: int = 0  # when a request last succeeded, since 1970; 0: none has
    rows: int = 0  # samples made
    success: Total = field(default_factory=Total)  # requests, from arrival to their end
    fail: Total = field(default_factory=Total)
    queue: Total = field(default_factory=Total)  # of those that succeeded, until their first row began
    run: Total = field(default_factory=Total)  # and from then until their last row ended


class Statistics:
    """Totals of all models of a process.

    Args:
        now: seconds since 1970.
    """

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._models: dict[tuple[str, int], ModelStatistics] = {}
        self._calls: dict[str, dict[int, Total]] = {}

    def model(self, name: str, version: int) -> ModelStatistics:
        """Totals of a version."""
        return self._models.get((name, version)) or ModelStatistics()

    def calls(self, name: str) -> dict[int, Total]:
        """Graph calls by their number of rows; of all versions of a model, which the engine does not tell apart."""
        return dict(self._calls.get(name, {}))  # a copy: the engine counts on, on its own thread

    def ended(self, name: str, version: int, seconds: float, rows: int, usage: Usage | None) -> None:
        """A request has ended, in so many seconds; without a usage it did not succeed."""
        model = self._models.get((name, version))
        if model is None:
            model = self._models[name, version] = ModelStatistics()
        model.rows += rows
        if usage is None:
            model.fail.add(seconds * NS_PER_S)
            return
        model.last_ms = int(self._now() * 1000)
        model.success.add(seconds * NS_PER_S)
        model.queue.add(usage.queue_ms * NS_PER_MS)
        model.run.add(usage.run_ms * NS_PER_MS)

    def stepped(self, name: str, rows: int, calls: int, seconds: float) -> None:
        """A graph was called with so many rows, so often, each time for so many seconds."""
        totals = self._calls.setdefault(name, {})
        total = totals.get(rows)
        if total is None:
            total = totals[rows] = Total()
        total.add(seconds * NS_PER_S, calls)


class CountingSteps:
    """An engine's observer that adds graph calls to statistics and tells another observer everything."""

    def __init__(self, statistics: Statistics, observer: EngineObserver) -> None:
        self._statistics, self._observer = statistics, observer
        self.queued, self.wasted = observer.queued, observer.wasted

    def stepped(self, model: str, graph: str, rows: int, bucket: int, calls: int, seconds: float, error: float) -> None:
        """See `EngineObserver.stepped`."""
        self._statistics.stepped(model, rows, calls, seconds)
        self._observer.stepped(model, graph, rows, bucket, calls, seconds, error)
