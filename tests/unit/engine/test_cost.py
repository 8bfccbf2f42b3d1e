"""What calls cost, and what is learnt from them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brood.engine.cost import CostModel, PredictionError
from helpers.paper import BUCKETS, linear


def model(costs: dict[int, float]) -> CostModel:
    return CostModel({"g": costs})


def test_the_cap_is_the_largest_bucket_that_still_pays() -> None:
    assert model(linear(0.0, 1.0)).cap("g") == 1  # linear: no bucket makes more rows a second
    assert model(linear(1.0, 0.0)).cap("g") == 8  # flat: each row more is free
    assert model({1: 1.0, 2: 1.0, 4: 2.0, 8: 8.0}).cap("g") == 2
    assert model({1: 1.0, 2: 1.0, 4: 1.9, 8: 3.5}).cap("g") == 8
    assert model({8: 3.5, 1: 1.0, 4: 1.9, 2: 1.0}).cap("g") == 8


def test_what_a_row_takes_is_its_part_of_a_call_at_the_cap() -> None:
    costs = model(linear(1.0, 0.25))
    assert costs.cap("g") == 8
    assert costs.call_s("g") == 3.0
    assert costs.row_s("g") == 3.0 / 8


def test_the_bucket_is_the_one_that_makes_most_rows_a_second() -> None:
    costs = model(linear(1.0, 0.25))
    assert [costs.bucket_for("g", rows) for rows in (1, 2, 3, 5, 7, 8, 9, 100)] == [1, 2, 4, 4, 8, 8, 8, 8]
    steep = model({1: 1.0, 2: 2.0, 4: 9.0, 8: 18.0})
    assert steep.bucket_for("g", 3) == 2


def test_only_allowed_buckets_are_chosen() -> None:
    costs = model(linear(1.0, 0.25))
    assert [costs.bucket_for("g", rows, {2, 8}) for rows in (1, 2, 3, 7, 9)] == [2, 2, 2, 8, 8]
    assert [costs.bucket_for("g", rows, {4}) for rows in (1, 4, 7)] == [4, 4, 4]
    assert [costs.smallest_bucket("g", rows) for rows in (1, 3, 5)] == [1, 4, 8]
    assert costs.smallest_bucket("g", 3, {8}) == 8


def test_one_call_that_takes_far_too_long_hardly_counts() -> None:
    costs = model(linear(1.0, 0.25))
    error = costs.observe("g", 8, 300.0)
    assert error == pytest.approx(99.0)
    assert costs.seconds("g", 8) < 1.1 * 3.0


def test_a_rare_outlier_moves_nothing_for_long() -> None:
    costs, rng = model(linear(1.0, 0.25)), np.random.default_rng(0)
    for _ in range(2000):
        costs.observe("g", 8, 3.0 * float(rng.lognormal(0, 0.1)) * (50.0 if rng.random() < 0.02 else 1.0))
    assert costs.seconds("g", 8) == pytest.approx(3.0, rel=0.2)


@pytest.mark.parametrize("factor", [0.3, 1.5, 2.0, 10.0])
def test_a_machine_that_becomes_slower_or_faster_is_followed(factor: float) -> None:
    costs = model(linear(1.0, 0.25))
    for _ in range(80):
        costs.observe("g", 8, 3.0 * factor)
    assert costs.seconds("g", 8) == pytest.approx(3.0 * factor, rel=0.1)
    assert costs.seconds("g", 1) == pytest.approx(1.25 * factor, rel=0.3)  # the others become so with it
    assert costs.cap("g") == 8


def test_a_slow_spell_does_not_change_which_bucket_pays() -> None:
    """The machine is three times slower for a while; calls use the same bucket all along, and afterwards."""
    costs, true, rng = model(linear(1.0, 0.25)), linear(1.0, 0.25), np.random.default_rng(1)
    for turn in range(900):
        bucket = costs.cap("g")
        slow = 3.0 if 300 <= turn < 600 else 1.0
        costs.observe("g", bucket, slow * true[bucket] * float(rng.lognormal(0, 0.05)))
        assert bucket == 8
    assert costs.seconds("g", 8) == pytest.approx(3.0, rel=0.1)


def test_a_wrong_measurement_of_one_bucket_is_put_right_by_calls() -> None:
    """Bucket 8 was measured while another process had the core: it pays after all, once it has been tried."""
    costs, true = model({1: 1.25, 2: 1.5, 4: 2.0, 8: 9.0}), linear(1.0, 0.25)
    for turn in range(600):
        bucket = 8 if turn % 3 == 0 else 4
        costs.observe("g", bucket, true[bucket])
    assert costs.cap("g") == 8
    assert costs.seconds("g", 8) == pytest.approx(3.0, rel=0.25)


def called(costs: CostModel, true: dict[int, float], rows: int) -> int:
    """Make a call as the scheduler would, of up to so many rows; gives its bucket."""
    bucket = costs.bucket_for("g", min(costs.reach("g", rows), rows))
    costs.observe("g", bucket, true[bucket])
    return bucket


def test_a_larger_bucket_is_tried_now_and_then_and_used_if_it_pays() -> None:
    """Beside callers each call takes 0.65 s longer than it did in the warm-up: only larger buckets pay for that."""
    costs, true = model(linear(0.05, 1.0)), linear(0.7, 1.0)
    assert costs.cap("g") == 2
    made = [called(costs, true, 8) for _ in range(600)]
    assert costs.cap("g") == 8
    assert set(made[-100:]) == {8}


def test_a_larger_bucket_that_does_not_pay_is_tried_seldom() -> None:
    costs, true = model(linear(0.0, 1.0)), linear(0.0, 1.0)
    made = [called(costs, true, 8) for _ in range(1300)]
    assert made.count(2) == 16 + 4
    assert costs.cap("g") == 1


def test_what_is_not_there_is_not_tried() -> None:
    costs, true = model(linear(0.0, 1.0)), linear(0.0, 1.0)
    assert {called(costs, true, 1) for _ in range(100)} == {1}
    full = model(linear(1.0, 0.0))
    assert {called(full, linear(1.0, 0.0), 100) for _ in range(100)} == {8}


def test_graphs_do_not_learn_from_each_other() -> None:
    costs = CostModel({"a": linear(1.0, 0.25), "b": linear(1.0, 0.25)})
    costs.observe("a", 8, 6.0)
    assert costs.seconds("b", 8) == 3.0


def test_the_error_of_predictions_is_measured() -> None:
    costs = model(linear(1.0, 0.0))
    assert costs.prediction_error() == PredictionError(0.0, 0.0, 0)
    for _ in range(95):
        assert costs.observe("g", 1, 1.0) == 0.0
    assert costs.observe("g", 1, 3.0) == pytest.approx(2.0)
    error = costs.prediction_error()
    assert (error.p50, error.calls) == (0.0, 96)
    for _ in range(2000):
        costs.observe("g", 1, 1.0)
    assert costs.prediction_error().calls == 1000


def test_no_time_at_all_is_no_cost_of_zero() -> None:
    costs = model({1: 0.0, 2: 0.0})
    assert costs.row_s("g") > 0
    costs.observe("g", 1, 0.0)
    assert costs.seconds("g", 1) > 0


positive = st.floats(1e-6, 1e3)


@settings(max_examples=100, deadline=None)
@given(costs=st.tuples(*[positive] * 4), seen=st.lists(st.tuples(st.sampled_from(BUCKETS), positive), max_size=30))
def test_whatever_is_seen_predictions_stay_positive_and_the_cap_pays(
    costs: tuple[float, ...], seen: list[tuple[int, float]]
) -> None:
    learnt = model(dict(zip(BUCKETS, costs, strict=True)))
    for bucket, seconds in seen:
        learnt.observe("g", bucket, seconds)
    cap = learnt.cap("g")
    rate = cap / learnt.seconds("g", cap)
    assert learnt.row_s("g") == pytest.approx(1 / rate)
    for bucket in BUCKETS:
        assert 0 < learnt.seconds("g", bucket) < float("inf")
        if bucket < cap:
            assert rate > bucket / learnt.seconds("g", bucket)
        for rows in range(1, 10):
            assert learnt.bucket_for("g", rows) in BUCKETS
