from __future__ import annotations

from brood.dataplane.statistics import CountingSteps, Statistics, Total
from brood.protocol.events import Usage


class Steps:
    """An engine's observer that remembers."""

    def __init__(self) -> None:
        self.told: list[object] = []

    def stepped(self, model: str, graph: str, rows: int, bucket: int, calls: int, seconds: float, error: float) -> None:
        self.told.append((model, graph, rows, bucket, calls, seconds, error))

    def queued(self, rows: int, backlog_s: float) -> None:
        self.told.append((rows, backlog_s))

    def wasted(self, seconds: float) -> None:
        self.told.append(seconds)


def test_requests_add_up_by_version() -> None:
    statistics = Statistics(now=lambda: 12.5)
    statistics.ended("vae", 1, 0.25, 4, Usage(4, 4, queue_ms=50, run_ms=150))
    statistics.ended("vae", 1, 0.25, 1, Usage(1, 1, queue_ms=0, run_ms=100))
    statistics.ended("vae", 1, 1.0, 2, None)
    found = statistics.model("vae", 1)
    assert (found.rows, found.last_ms) == (7, 12_500)
    assert (found.success, found.fail) == (Total(2, 500_000_000), Total(1, 1_000_000_000))
    assert (found.queue, found.run) == (Total(2, 50_000_000), Total(2, 250_000_000))
    assert statistics.model("vae", 2).success == Total()


def test_graph_calls_add_up_by_rows_and_are_told_on() -> None:
    statistics, steps = Statistics(), Steps()
    counting = CountingSteps(statistics, steps)
    counting.stepped("vae", "decode", 3, 4, 1, 0.5, 0.1)
    counting.stepped("vae", "decode", 3, 4, 1, 0.25, 0.1)
    counting.stepped("vae", "encode", 8, 8, 1, 0.125, 0.1)
    counting.queued(5, 2.0)
    counting.wasted(0.5)
    assert statistics.calls("vae") == {3: Total(2, 750_000_000), 8: Total(1, 125_000_000)}
    assert statistics.calls("gan") == {}
    assert steps.told[0] == ("vae", "decode", 3, 4, 1, 0.5, 0.1)
    assert steps.told[3:] == [(5, 2.0), 0.5]
