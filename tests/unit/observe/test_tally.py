"""Numbers wait until they are written, and none is lost or written twice."""

from __future__ import annotations

from threading import Event

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from brood.observe.tally import Amount, BulkHistogram, Level, Spread, Writer

BOUNDS = (0.1, 1.0, 10.0)


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


def test_an_amount_adds_up(registry: CollectorRegistry) -> None:
    amount = Amount(Counter("made", "Made.", registry=registry))
    amount.add(2)
    amount.add(3)
    assert registry.get_sample_value("made_total") == 0
    for _ in range(2):
        amount.write()
        assert registry.get_sample_value("made_total") == 5


def test_a_level_is_what_it_was_last(registry: CollectorRegistry) -> None:
    level = Level(Gauge("queue", "Queue.", registry=registry))
    for value in (7, 3):
        level.set(value)
    level.write()
    assert registry.get_sample_value("queue") == 3
    level.set(0)
    level.write()
    assert registry.get_sample_value("queue") == 0


@given(st.lists(st.lists(st.sampled_from((0.0, 0.05, 0.1, 0.5, 1.0, 2.0, 10.0, 11.0)), max_size=6), max_size=4))
def test_many_values_at_once_are_as_many_one_by_one(turns: list[list[float]]) -> None:
    registry = CollectorRegistry()
    spread = Spread(BulkHistogram("tallied", "Tallied.", buckets=BOUNDS, registry=registry), BOUNDS)
    single = Histogram("single", "One by one.", buckets=BOUNDS, registry=registry)
    for values in turns:
        for value in values:
            spread.observe(value)
            single.observe(value)
        spread.write()
    for name in ("sum", "count"):
        assert registry.get_sample_value(f"tallied_{name}") == pytest.approx(
            registry.get_sample_value(f"single_{name}")
        )
    for bound in ("0.1", "1.0", "10.0", "+Inf"):
        found = [registry.get_sample_value(f"{name}_bucket", {"le": bound}) for name in ("tallied", "single")]
        assert found[0] == found[1]


def test_a_writer_writes_again_and_again() -> None:
    twice, written = Event(), 0

    def write() -> None:
        nonlocal written
        written += 1
        if written == 2:
            twice.set()

    writer = Writer(write, every_s=0.0)
    assert twice.wait(10)
    writer.close()


def test_a_writer_leaves_nothing_behind() -> None:
    written = []
    writer = Writer(lambda: written.append(1), every_s=60.0)
    writer.close()
    assert written == [1]
