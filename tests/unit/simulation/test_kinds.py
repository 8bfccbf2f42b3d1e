"""Mixes of requests in words."""

from __future__ import annotations

import pytest

from brood.protocol.errors import InvalidArgument
from brood.simulation.kinds import Kind, Part, read_mix


def test_a_mix_is_read() -> None:
    assert read_mix(
        ["25% steps=4", "75% steps=50 n=2 priority=bulk tenant=a deadline_ms=500 graphs=step* variants=9"]
    ) == (
        Part(0.25, Kind(4)),
        Part(0.75, Kind(50, 2, "bulk", "a", 0.5, "step*"), 9),
    )


@pytest.mark.parametrize(
    ("texts", "complaint"),
    [
        (["50% steps=4"], 'requests: "50% in all" is not allowed; allowed: parts that make 100% together'),
        (["steps=4"], 'requests: "steps=4" is not allowed; allowed: SHARE% and NAME=VALUE'),
        ([""], 'requests: "" is not allowed; allowed: SHARE%'),
        (["100% steps=0"], 'requests.steps: "0" is not allowed; allowed: greater than or equal to 1'),
        (["100% n=a"], 'requests.n: "a" is not allowed; allowed: a valid integer'),
        (["100% deadline_ms=nan"], 'requests.deadline_ms: "nan" is not allowed; allowed: a finite number'),
        (["100% priority=high"], r'requests.priority: "high" is not allowed; allowed: .*bulk'),
        (["100% graphs=*step"], r'requests.graphs: "\*step" is not allowed'),
        (
            ["100% speed=4"],
            "requests.speed: unknown; allowed: steps, n, priority, tenant, deadline_ms, graphs, share, variants",
        ),
    ],
)
def test_a_wrong_mix_is_refused_by_name(texts: list[str], complaint: str) -> None:
    with pytest.raises(InvalidArgument, match=complaint):
        read_mix(texts)


def test_kinds_are_called_by_what_they_ask_for() -> None:
    assert Kind(4).label == "4 steps"
    assert Kind(50, 2, "bulk", "a", 0.5, "step*").label == "50 steps n=2 step* a bulk in 500 ms"
