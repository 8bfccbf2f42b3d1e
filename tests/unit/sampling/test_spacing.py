"""Which timesteps a run visits: the examples of Lin et al. 2023, table 2, and what holds for all."""

import numpy as np
from hypothesis import given as forall
from hypothesis import strategies as st

from brood.sampling.spacing import SPACINGS, leading, linspace, trailing


def test_ten_of_a_thousand() -> None:
    assert leading(10, 1000, 1).tolist() == [901, 801, 701, 601, 501, 401, 301, 201, 101, 1]
    assert linspace(10, 1000, 0).round().tolist() == [999, 888, 777, 666, 555, 444, 333, 222, 111, 0]
    assert trailing(10, 1000, 0).tolist() == [999, 899, 799, 699, 599, 499, 399, 299, 199, 99]


def test_only_trailing_begins_with_all_noise_in_one_step() -> None:
    assert {name: spacing(1, 1000, 0).tolist() for name, spacing in SPACINGS.items()} == {
        "leading": [0.0],
        "linspace": [0.0],
        "trailing": [999.0],
    }


@forall(st.sampled_from(sorted(SPACINGS)), st.integers(1, 2000), st.data())
def test_as_many_as_asked_falling_and_all_trained_on(name: str, train_steps: int, data: st.DataObject) -> None:
    steps = data.draw(st.integers(1, train_steps))
    t = SPACINGS[name](steps, train_steps, 0).round()
    assert t.shape == (steps,)
    assert (np.diff(t) < 0).all()
    assert 0 <= t[-1] <= t[0] < train_steps
