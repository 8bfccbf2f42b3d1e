"""What graph calls cost: measured when a model is warmed up, and refined by every call that is made.

A prediction is a graph's pace times the shape of its cost over buckets. Both are refined in the logarithm, by a part
of each call's surprise, and a surprise counts as a factor of two at most: one call that took a hundred times longer
(another process had the core) moves a prediction by 8 %, a machine that became twice as slow moves it there within some
tens of calls. The shape, on which the choice of buckets depends, follows ten times slower than the pace: what else
happens on the machine is seldom about one bucket alone.

Beside busy callers a call takes longer than in the warm-up, and a small one longer by a greater part. So that the
warm-up does not decide for good, now and then a call that could be fuller is made at the next larger bucket, and what
such a trial says of the shape is believed sooner.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import defaultdict, deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import numpy as np

PACE_RATE, SHAPE_RATE = 0.1, 0.01  # part of a call's surprise that is believed, of all buckets and of this one
WARM_UP_COUNTS = 8  # so many calls of a bucket: trials of it move its shape by 1/8, 1/9, … of their surprise
SURPRISE_LIMIT = math.log(2.0)  # larger ones count as this
SOON, LATER, TRIALS = (
    16,
    256,
    16,
)  # every so many full calls a larger bucket is tried: these until so many trials, those
GAIN = 1.02  # a larger bucket pays if it makes so many times more rows a second than any smaller one
RECENT = 1000  # calls over which the prediction error is told


@dataclass(frozen=True, slots=True)
class PredictionError:
    """|observed / predicted − 1| over the last calls."""

    p50: float
    p95: float
    calls: int


@dataclass(slots=True)
class _Graph:
    shape: dict[int, float]  # bucket → seconds of one call at pace 1, ascending
    pace: float = 1.0
    cap: int = 1
    row_s: float = 0.0  # of a lane
    calls: dict[int, int] = field(default_factory=lambda: defaultdict(int))  # bucket → how many were made
    full: int = 0  # calls at the cap since a larger bucket was tried
    buckets: list[int] = field(init=False)  # ascending

    def __post_init__(self) -> None:
        self.buckets = list(self.shape)
        self.refresh()

    def rate(self, bucket: int) -> float:
        """Which part of a call's surprise is believed of its bucket's shape; counts the call."""
        self.calls[bucket] += 1
        trial = bucket > self.cap
        self.full = 0 if trial else self.full + (bucket == self.cap)
        return max(SHAPE_RATE, 1 / (WARM_UP_COUNTS + self.calls[bucket])) if trial else SHAPE_RATE

    def refresh(self) -> None:
        """Choose the cap anew: the largest bucket that still pays."""
        best = 0.0
        for bucket, seconds in self.shape.items():
            if bucket / seconds > GAIN * best:
                self.cap, best = bucket, bucket / seconds
        self.row_s = self.pace / best


class CostModel:
    """c(graph, bucket) of one model on this device, in seconds.

    Args:
        measured: graph → bucket → seconds of one call.
        lanes: calls that the device makes at once: its seconds are so many times as much worth as those of a call.
    """

    def __init__(self, measured: Mapping[str, Mapping[int, float]], lanes: int = 1) -> None:
        self.lanes = lanes
        self._graphs = {
            name: _Graph({bucket: max(1e-9, costs[bucket]) for bucket in sorted(costs)})
            for name, costs in measured.items()
        }
        self._errors: deque[float] = deque(maxlen=RECENT)

    def seconds(self, graph: str, bucket: int) -> float:
        """Predicted seconds of one call."""
        found = self._graphs[graph]
        return found.pace * found.shape[bucket]

    def device_s(self, graph: str, bucket: int) -> float:
        """Predicted device seconds of one call: its part of what the device can do meanwhile."""
        return self.seconds(graph, bucket) / self.lanes

    def reach(self, graph: str, rows: int) -> int:
        """The most rows for the next call, of so many that could be in it: the cap, or the trial of a larger bucket."""
        found = self._graphs[graph]
        if rows <= found.cap or found.full < SOON:
            return found.cap
        larger = next((bucket for bucket in found.shape if bucket > found.cap), found.cap)
        enough = rows >= larger and found.full >= (SOON if found.calls[larger] < TRIALS else LATER)
        return larger if enough else found.cap

    def cap(self, graph: str) -> int:
        """The largest bucket that still pays: rows beyond it are better served by the next call."""
        return self._graphs[graph].cap

    def row_s(self, graph: str) -> float:
        """Predicted device seconds that one row takes of a call at the cap."""
        return self._graphs[graph].row_s / self.lanes

    def call_s(self, graph: str) -> float:
        """Predicted seconds of a call at the cap."""
        return self.seconds(graph, self._graphs[graph].cap)

    def bucket_for(self, graph: str, rows: int, allowed: Collection[int] | None = None) -> int:
        """The bucket that makes most rows a second out of ``rows`` runnable ones.

        Either the next larger bucket, padded, or the next smaller one, leaving some rows for the next call.

        Args:
            allowed: only these buckets; None: all.
        """
        costs, buckets = self._graphs[graph].shape, self._graphs[graph].buckets
        if allowed is not None:
            buckets = [bucket for bucket in buckets if bucket in allowed]
        place = bisect_left(buckets, rows)
        larger, smaller = buckets[min(place, len(buckets) - 1)], buckets[max(place - 1, 0)]
        if larger == rows:
            return rows
        return smaller if min(smaller, rows) / costs[smaller] > min(larger, rows) / costs[larger] else larger

    def smallest_bucket(self, graph: str, rows: int, allowed: Collection[int] | None = None) -> int:
        """The smallest bucket that holds so many rows."""
        buckets = self._graphs[graph].buckets
        return next(bucket for bucket in buckets if bucket >= rows and (allowed is None or bucket in allowed))

    def observe(self, graph: str, bucket: int, seconds: float) -> float:
        """Learn from a call; returns its error, |observed / predicted − 1|."""
        found, predicted = self._graphs[graph], self.seconds(graph, bucket)
        surprise = max(-SURPRISE_LIMIT, min(SURPRISE_LIMIT, math.log(max(seconds, 1e-9) / predicted)))
        found.pace *= math.exp(PACE_RATE * surprise)
        found.shape[bucket] *= math.exp(found.rate(bucket) * surprise)
        found.refresh()
        error = abs(seconds / predicted - 1.0)
        self._errors.append(error)
        return error

    def prediction_error(self) -> PredictionError:
        """How good the last predictions were."""
        if not self._errors:
            return PredictionError(0.0, 0.0, 0)
        p50, p95 = np.quantile(np.fromiter(self._errors, float), (0.5, 0.95))
        return PredictionError(float(p50), float(p95), len(self._errors))
