"""How hard a server is pressed."""

from __future__ import annotations

import numpy as np
import pytest

from brood.loadgen.arrivals import Bursts
from brood.loadgen.stages import Closed, Open, read_closed, read_open
from brood.protocol.errors import InvalidArgument


def test_stages_are_read() -> None:
    assert read_open("100") == Open(100, 100)
    assert read_open("50:400.5") == Open(50, 400.5)
    assert read_open("9", Bursts(4)) == Open(9, 9, Bursts(4))
    assert read_closed("32") == Closed(32, 32)
    assert read_closed("1:256") == Closed(1, 256)


def test_labels_say_what_they_are() -> None:
    stages = (Open(100, 100), Open(5, 50), Open(9, 9, Bursts(4)), Closed(1, 1), Closed(2, 8))
    assert [stage.label for stage in stages] == ["100/s", "5 to 50/s", "9/s in bursts", "1 client", "2 to 8 clients"]
    assert [stage.size for stage in stages] == [100, 27.5, 9, 1, 5]


@pytest.mark.parametrize("text", ["", "0", "-1", "nan", "inf", "1:", "1:x", "a"])
def test_a_wrong_rate_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument, match=r"rate: .* is not allowed; allowed: a positive number, or two"):
        read_open(text)


@pytest.mark.parametrize("text", ["", "0", "1.5", "5000", "1:5000", "x"])
def test_a_wrong_number_of_clients_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument, match=r"clients: .* is not allowed; allowed: a whole number from 1 to 4096"):
        read_closed(text)


def test_a_ramp_does_not_come_in_bursts() -> None:
    with pytest.raises(InvalidArgument, match=r"rate: .*allowed: one number, where requests come in bursts"):
        read_open("1:2", Bursts(4))


def test_the_warm_up_has_the_first_rate() -> None:
    times = Open(10, 110).times(100.0, 100.0, np.random.default_rng(0))
    assert (np.diff(times) >= 0).all()
    assert (times < 100).sum() == pytest.approx(1000, rel=0.1)
    assert (times >= 100).sum() == pytest.approx(6000, rel=0.1)


def test_stages_without_a_warm_up_and_in_bursts_keep_their_length() -> None:
    rng = np.random.default_rng(0)
    assert len(Open(100, 100).times(0.0, 10.0, rng)) == pytest.approx(1000, rel=0.15)
    assert Open(100, 100, Bursts(4)).times(2.0, 10.0, rng)[-1] < 12


def test_clients_come_and_leave_one_by_one() -> None:
    assert Closed(2, 2).lives(1.0, 9.0) == [(0.0, 10.0)] * 2
    assert Closed(1, 3).lives(1.0, 9.0) == [(0.0, 10.0), (4.0, 10.0), (7.0, 10.0)]
    assert Closed(3, 1).lives(1.0, 9.0) == [(0.0, 10.0), (0.0, 4.0), (0.0, 7.0)]
