"""Schedules of Langevin dynamics; its distributions are in tests/numerics."""

import numpy as np
import pytest

from brood.protocol.errors import BundleError, InvalidArgument
from brood.protocol.manifest import Scalar
from brood.sampling.schedules import KINDS, Schedule
from helpers.solver import column, run_table

LEVELS = {"step": 0.01, "sigma_max": 8.0, "sigma_min": 0.5}


def made(numbers: dict[str, float], prediction: str = "score", **params: Scalar) -> Schedule:
    return KINDS["langevin"](params, numbers, {"prediction": prediction})


def test_without_levels_every_step_is_the_same() -> None:
    schedule = made({"step": 0.02}, steps=3)
    x, noise = np.array([1.0, -2.0]), np.array([[0.5, 0.25]] * 3)
    run = run_table(schedule, lambda x, t: -x, x, noise)
    np.testing.assert_allclose(run.x[1], 0.98 * x + 0.2 * noise[0])
    np.testing.assert_array_equal(run.x0, run.x[:-1])
    assert set(column(schedule, "t").tolist()) == {0.0}
    assert schedule.init == (0.0, 1.0)


def test_levels_fall_geometrically_and_steps_with_their_squares() -> None:
    schedule = made(LEVELS, steps=5)
    np.testing.assert_allclose(column(schedule, "t"), [8, 4, 2, 1, 0.5])
    np.testing.assert_allclose(column(schedule, "d"), [2.56, 0.64, 0.16, 0.04, 0.01])
    np.testing.assert_allclose(column(schedule, "e") ** 2, 2 * column(schedule, "d"))
    assert schedule.init == (0.0, 8.0)


def test_a_network_of_noise_makes_the_same_steps() -> None:
    x, fresh = np.array([1.0, -2.0]), np.full((5, 2), 0.3)
    by_score = run_table(made(LEVELS, steps=5), lambda x, t: -x / (1 + t**2), x, fresh)
    by_noise = run_table(made(LEVELS, "epsilon", steps=5), lambda x, t: t * x / (1 + t**2), x, fresh)
    np.testing.assert_allclose(by_noise.x, by_score.x)
    np.testing.assert_allclose(by_noise.x0, by_score.x0)


def test_strength_begins_from_what_is_given() -> None:
    assert made({"step": 0.02}, steps=10, strength=0.3).init == (1.0, 0.0)
    part = made(LEVELS, steps=5, strength=0.4)
    assert part.steps == 2
    assert part.init == pytest.approx((1.0, 1.0))


@pytest.mark.parametrize(
    ("numbers", "prediction", "field"),
    [
        ({}, "score", "numbers.step"),
        ({"step": 0.1}, "epsilon", "numbers.sigma_min"),
        ({"step": 0.1, "sigma_max": 1.0}, "score", "numbers.sigma_min"),
        (LEVELS | {"sigma_max": 0.1}, "score", "numbers.sigma_max"),
        (LEVELS, "v", "words.prediction"),
    ],
)
def test_wrong_bundles_are_told_what_is_wrong(numbers: dict[str, float], prediction: str, field: str) -> None:
    with pytest.raises(BundleError) as caught:
        made(numbers, prediction, steps=4)
    assert caught.value.field == f"schedule.{field}"


def test_other_samplers_are_refused() -> None:
    with pytest.raises(InvalidArgument, match=r"params\.sampler: \"heun\" is not allowed; allowed: one of langevin$"):
        made(LEVELS, steps=4, sampler="heun")
