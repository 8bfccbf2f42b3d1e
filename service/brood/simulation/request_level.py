"""What others do: batches of whole requests, which run from their first step to their last.

Nothing else is to their disadvantage: a batch is chosen when the device becomes free, oldest first and never waiting
for more, at the bucket that makes most rows a second; rows of a large request go into as many batches as they need.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable

from brood.engine.cost import CostModel
from brood.protocol.errors import Overloaded
from brood.simulation.kinds import Kind
from brood.simulation.servers import Outcomes, Tally
from brood.simulation.setting import Device, Setting
from brood.simulation.traces import Arrival

Graphs = tuple[str, ...]
Key = Callable[[Graphs, Arrival], Hashable]


def same_parameters(graphs: Graphs, arrival: Arrival) -> Hashable:
    """Only requests with equal parameters share a batch."""
    return (graphs, arrival.kind.steps, arrival.params)


def padded(graphs: Graphs, arrival: Arrival) -> Hashable:
    """Any requests of the same graphs share a batch, which runs as long as the longest of them."""
    return graphs


class RequestLevel:
    """A `Server` that runs batches of requests to completion."""

    wake_at = None

    def __init__(self, setting: Setting, outcomes: Outcomes, seed: int, key: Key) -> None:
        self.tally, self.backlog_s = Tally(), 0.0
        self._setting, self._outcomes, self._key = setting, outcomes, key
        self._device = Device(setting.curves, setting.noise, seed)
        self._costs = CostModel(setting.curves)
        self._calls: dict[Kind, list[tuple[str, int]]] = {}
        self._waiting: dict[Hashable, deque[int]] = {}  # key → numbers of requests, one for each row
        self._batch: list[int] = []
        self._left: dict[int, int] = {}  # number → rows not finished
        self._started: dict[int, float] = {}

    def submit(self, number: int, arrival: Arrival) -> None:
        """See `Server`."""
        kind = arrival.kind
        if kind not in self._calls:
            self._calls[kind] = self._setting.calls(kind)
        work_s = kind.n * self._row_s(kind)
        if self.backlog_s > 0 and self.backlog_s + work_s > self._setting.max_backlog_s:
            raise Overloaded("the queue is full")
        self.backlog_s += work_s
        self._left[number] = kind.n
        key = self._key(tuple(graph for graph, _ in self._calls[kind]), arrival)
        self._waiting.setdefault(key, deque()).extend([number] * kind.n)

    def begin(self, now: float) -> float | None:
        """See `Server`."""
        if not self._waiting:
            return None
        key, rows = min(self._waiting.items(), key=lambda item: item[1][0])
        graph = max(self._calls_of(rows[0]), key=lambda call: call[1] * self._costs.call_s(call[0]))[0]
        places = self._costs.bucket_for(graph, min(len(rows), self._costs.cap(graph)))
        self._batch = [rows.popleft() for _ in range(min(places, len(rows)))]
        if not rows:
            del self._waiting[key]
        for number in self._batch:
            self._started.setdefault(number, now)
        return self._run()

    def end(self, now: float) -> None:
        """See `Server`."""
        for number in self._batch:
            self.backlog_s -= self._row_s(self._outcomes.trace[number].kind)
            self._left[number] -= 1
            if not self._left[number]:
                del self._left[number]
                self._outcomes.finish(number, self._started.pop(number), now)

    def _run(self) -> float:
        """Seconds from the first call of the batch to the last: of each graph as many as the longest row makes."""
        total_s, rows = 0.0, len(self._batch)
        for calls in zip(*(self._calls_of(number) for number in self._batch), strict=True):
            graph, longest = calls[0][0], max(count for _, count in calls)
            cap = self._costs.cap(graph)
            sizes = [min(cap, rows - first) for first in range(0, rows, cap)]
            buckets = [self._costs.smallest_bucket(graph, size) for size in sizes]
            seconds = sum(self._device.seconds(graph, bucket) for _ in range(longest) for bucket in buckets)
            steps = sum(count for _, count in calls)
            self.tally.count(longest * len(buckets), steps, longest * len(buckets) * cap, seconds)
            total_s += seconds
        return total_s

    def _calls_of(self, number: int) -> list[tuple[str, int]]:
        return self._calls[self._outcomes.trace[number].kind]

    def _row_s(self, kind: Kind) -> float:
        return sum(count * self._costs.row_s(graph) for graph, count in self._calls[kind])
