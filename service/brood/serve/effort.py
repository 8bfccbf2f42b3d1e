"""How much of its capacity a worker uses: what its number is scaled by."""

from __future__ import annotations

import time
from collections.abc import Callable
from math import exp

from brood.engine.loop import EngineObserver

NOTHING_S = 1e-6  # of backlog: what is left of adding and taking away floating-point numbers
WINDOW_S = 10.0  # over which the load is an average, with older calls counting less
RowSeconds = Callable[[str, str], float]  # model, graph → predicted seconds of one row in a full call


class Effort:
    """An engine's observer that knows its load, and tells another observer everything.

    A row that a graph is called for counts as its part of a full call, however empty the call is: what a device could
    do is what it does in full calls. (The time that it is busy says little: requests that come one by one keep it busy
    all the time, and twice as many would share calls and still be served by it.)

    Written on the engine's thread and read on others: each number is one that was true a moment ago.

    Args:
        observer: told everything.
        row_s: what rows cost.
        clock: in seconds.
    """

    def __init__(
        self, observer: EngineObserver, row_s: RowSeconds, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._observer, self._row_s, self._clock = observer, row_s, clock
        self._done_s, self._at = 0.0, clock()
        self._backlog_s, self._worked_at = 0.0, clock()

    @property
    def load(self) -> float:
        """The part of its capacity that was used lately: 0 … 1."""
        return min(1.0, self._done_s * exp((self._at - self._clock()) / WINDOW_S) / WINDOW_S)

    @property
    def backlog_s(self) -> float:
        """Predicted device seconds of all that is accepted and not yet made."""
        return self._backlog_s

    @property
    def idle_s(self) -> float:
        """For how long there has been nothing to do."""
        return 0.0 if self._backlog_s > NOTHING_S else self._clock() - self._worked_at

    def stepped(self, model: str, graph: str, rows: int, bucket: int, calls: int, seconds: float, error: float) -> None:
        """See `EngineObserver.stepped`."""
        now = self._clock()
        # No call does more than its own time's work; a prediction may.
        done_s = calls * min(seconds, rows * self._row_s(model, graph))
        self._done_s = self._done_s * exp((self._at - now) / WINDOW_S) + done_s
        self._at = self._worked_at = now
        self._observer.stepped(model, graph, rows, bucket, calls, seconds, error)

    def queued(self, rows: int, backlog_s: float) -> None:
        """See `EngineObserver.queued`."""
        if max(self._backlog_s, backlog_s) > NOTHING_S:
            self._worked_at = self._clock()
        self._backlog_s = backlog_s
        self._observer.queued(rows, backlog_s)

    def wasted(self, seconds: float) -> None:
        """See `EngineObserver.wasted`."""
        self._observer.wasted(seconds)
