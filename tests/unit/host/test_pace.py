"""Loading beside requests: its graph calls take a share of the time, and end when the host does."""

import threading

import numpy as np
import pytest

from brood.host.pace import LOOK_S, SHARE, Busy, LoadingStopped, Pace
from brood.protocol.errors import BroodError, RuntimeFailed
from brood.protocol.manifest import Graph
from brood.runtimes.base import Arrays


class Time:
    """A clock that waiting moves on, and until when requests run."""

    def __init__(self, busy_until: float) -> None:
        self.now, self.waited, self._busy_until = 0.0, 0.0, busy_until

    def clock(self) -> float:
        return self.now

    def busy(self) -> bool:
        return self.now < self._busy_until

    def wait(self, seconds: float) -> bool:
        assert 0 < seconds <= LOOK_S
        self.waited += seconds
        self.now += seconds
        return False


class Slow:
    """A graph of one second a call."""

    spec = Graph.model_validate({"file": "g", "runtime": "fake", "buckets": [1], "inputs": {}, "outputs": {}})

    def __init__(self, time: Time, *, fails: bool = False) -> None:
        self._time, self._fails = time, fails

    def __call__(self, inputs: Arrays) -> dict[str, np.ndarray]:
        self._time.now += 1.0
        if self._fails:
            raise RuntimeFailed("the device refuses")
        return dict(inputs)


def test_beside_requests_graph_calls_take_their_share() -> None:
    time = Time(busy_until=1000.0)
    pace = Pace(time.busy, time.clock, time.wait)
    graph = pace.graph(Slow(time))
    assert graph.spec is Slow.spec
    for _ in range(5):
        graph({})
    assert time.now - time.waited == pytest.approx(5)
    assert time.waited == pytest.approx(4 * (1 / SHARE - 1))


def test_a_call_that_fails_counts_too() -> None:
    time = Time(busy_until=1000.0)
    graph = Pace(time.busy, time.clock, time.wait).graph(Slow(time, fails=True))
    for _ in range(2):
        with pytest.raises(RuntimeFailed):
            graph({})
    assert time.waited == pytest.approx(1 / SHARE - 1)


def test_alone_it_does_not_wait() -> None:
    time = Time(busy_until=2.5)
    graph = Pace(time.busy, time.clock, time.wait).graph(Slow(time))
    for _ in range(3):
        graph({})
    assert time.waited == pytest.approx(1.5, abs=2 * LOOK_S), "nor any longer than requests run"
    graph({})
    assert time.waited == pytest.approx(1.5, abs=2 * LOOK_S)


def test_what_rests_before_it_is_timed_does_not_wait_within() -> None:
    time = Time(busy_until=1000.0)
    pace = Pace(time.busy, time.clock, time.wait)
    graph = pace.graph(Slow(time))
    graph({})
    pace.rest()
    began = time.now
    graph({})
    assert time.now - began == pytest.approx(1.0)


def test_loading_ends_when_the_host_does() -> None:
    time = Time(busy_until=1000.0)
    pace = Pace(time.busy, time.clock)
    graph = pace.graph(Slow(time))
    graph({})
    thread = threading.Thread(target=pace.stop)
    thread.start()
    with pytest.raises(LoadingStopped):
        graph({})
    thread.join()
    assert not issubclass(LoadingStopped, BroodError), "a failed graph call may be overlooked, this may not"


def test_a_host_is_busy_while_there_is_a_backlog() -> None:
    told: list[tuple[object, ...]] = []

    class Noted:
        def stepped(self, *words: object) -> None:
            told.append(words)

        def queued(self, *words: object) -> None:
            told.append(words)

        def wasted(self, *words: object) -> None:
            told.append(words)

    busy = Busy(Noted())
    seen = [busy.busy]
    busy.queued(3, 0.5)
    seen.append(busy.busy)
    busy.stepped("m", "g", 1, 2, 1, 0.1, 0.0)
    busy.wasted(0.1)
    busy.queued(0, 1e-15)
    assert [*seen, busy.busy] == [False, True, False]
    assert told == [(3, 0.5), ("m", "g", 1, 2, 1, 0.1, 0.0), (0.1,), (0, 1e-15)]
