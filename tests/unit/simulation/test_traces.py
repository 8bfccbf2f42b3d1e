"""Arrivals: drawn and read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from brood.protocol.errors import InvalidArgument
from brood.simulation.kinds import Kind, read_mix
from brood.simulation.traces import Arrival, Drawn, Recorded, poisson, read_trace


def test_independent_arrivals_have_their_rate_and_spread() -> None:
    gaps = np.diff(poisson(20.0, 20_000, np.random.default_rng(0)))
    assert gaps.mean() == pytest.approx(1 / 20, rel=0.03)
    assert gaps.std() == pytest.approx(1 / 20, rel=0.03)


def test_a_mix_is_drawn_with_its_shares_and_parameters() -> None:
    trace = Drawn(read_mix(["80% steps=4 variants=3", "20% steps=50"]), 10_000, 0).at(5.0)
    short = [arrival for arrival in trace if arrival.kind == Kind(4)]
    assert len(short) / len(trace) == pytest.approx(0.8, abs=0.02)
    assert {arrival.params for arrival in short} == {"0", "1", "2"}


def test_another_rate_is_the_same_trace_at_another_speed() -> None:
    load = Drawn(read_mix(["50% steps=4", "50% steps=50"]), 100, 3)
    slow, quick = load.at(1.0), load.at(4.0)
    assert [arrival.kind for arrival in slow] == [arrival.kind for arrival in quick]
    assert [arrival.at for arrival in slow] == pytest.approx([4 * arrival.at for arrival in quick])


def test_a_file_is_read_in_the_order_of_time(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    path.write_text(
        '{"t": 2.0, "steps": 50, "n": 3, "priority": "bulk", "tenant": "a", "deadline_ms": 900, "params": "label=3"}\n'
        '\n{"t": 0.5}\n'
    )
    trace = read_trace(path)
    assert trace == [Arrival(0.5, Kind()), Arrival(2.0, Kind(50, 3, "bulk", "a", 0.9), "label=3")]
    recorded = Recorded(trace)
    assert recorded.rate == 1.0
    assert recorded.shares == {Kind(): 0.5, Kind(50, 3, "bulk", "a", 0.9): 0.5}
    assert [arrival.at for arrival in recorded.at(2.0)] == [0.25, 1.0]


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ('{"t": -1}', "trace.jsonl:2.t: -1 is not allowed; allowed: greater than or equal to 0"),
        ('{"steps": 4}', "trace.jsonl:2.t: missing"),
        ('{"t": 1, "step": 4}', "trace.jsonl:2.step: unknown; allowed: steps, n, .*, t, params"),
        ("t=1", 'trace.jsonl:2: "t=1" is not allowed'),
    ],
)
def test_a_wrong_line_is_refused_by_number(tmp_path: Path, line: str, complaint: str) -> None:
    path = tmp_path / "trace.jsonl"
    path.write_text('{"t": 0}\n' + line)
    with pytest.raises(InvalidArgument, match=complaint):
        read_trace(path)


def test_an_empty_file_and_one_without_time_have_no_rate(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    path.write_text("\n")
    with pytest.raises(InvalidArgument, match=r"trace.jsonl: no arrivals"):
        read_trace(path)
    with pytest.raises(InvalidArgument, match='trace: "3 arrivals at t = 0" is not allowed'):
        _ = Recorded([Arrival(0.0, Kind())] * 3).rate
