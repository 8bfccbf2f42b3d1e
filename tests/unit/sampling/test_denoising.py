"""Samplers of the variance-preserving form, by what is known about each."""

from __future__ import annotations

import numpy as np
import pytest

from brood.sampling.denoising import ddim, ddpm, dpmpp_2m
from brood.sampling.grid import Grid
from brood.sampling.prediction import PREDICTIONS, Prediction
from brood.sampling.solver import INDEX
from brood.sampling.terms import Floats, Given

LEVEL = np.array([0.01, 0.2, 0.55, 0.9])
GRID = Grid(np.array([99.0, 60.0, 30.0, 5.0]), LEVEL, np.append(LEVEL[1:], 1.0))
BARE = Given({}, {}, {})


def prediction(name: str = "epsilon") -> Prediction:
    return PREDICTIONS[name](LEVEL)


def column(rows: Floats, name: str) -> Floats:
    values: Floats = rows[:, INDEX[name]]
    return values


@pytest.mark.parametrize("name", PREDICTIONS)
def test_ddim_with_eta_one_is_ddpm(name: str) -> None:
    ours = ddim(GRID, prediction(name), Given({"eta": 1.0}, {}, {}))
    np.testing.assert_allclose(ours, ddpm(GRID, prediction(name), BARE), atol=1e-12)


def test_ddpm_is_the_posterior_of_two_gaussians() -> None:
    rows = ddpm(GRID, prediction(), BARE)
    for k in range(3):
        alpha, before, after = LEVEL[k] / LEVEL[k + 1], LEVEL[k], LEVEL[k + 1]
        # x' given x0 is N(√ᾱ'·x0, 1−ᾱ'); x given x' is N(√α·x', 1−α): precisions add.
        variance = 1 / (1 / (1 - after) + alpha / (1 - alpha))
        assert before == pytest.approx(alpha * after)
        assert column(rows, "e")[k] == pytest.approx(variance**0.5)
        assert column(rows, "a")[k] == pytest.approx(variance * alpha**0.5 / (1 - alpha))
        assert column(rows, "b")[k] == pytest.approx(variance * after**0.5 / (1 - after))


@pytest.mark.parametrize("eta", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("name", PREDICTIONS)
def test_the_networks_own_epsilon_is_taken_where_x0_is_clamped_and_makes_no_difference_without(
    eta: float, name: str
) -> None:
    own = ddim(GRID, prediction(name), Given({"eta": eta}, {"clip": 1.0}, {}))
    again = ddim(GRID, prediction(name), Given({"eta": eta}, {"clip": 1.0}, {"epsilon": "clipped"}))
    free = ddim(GRID, prediction(name), Given({"eta": eta}, {}, {}))
    np.testing.assert_array_equal(again, free)
    assert (column(again, "d") == 0).all()
    assert (column(own, "d")[:-1] != 0).all()
    x, m = 0.7, -1.3
    ends = []
    for rows in (own, again):
        x0 = column(rows, "p") * x + column(rows, "q") * m
        ends.append(column(rows, "a") * x + column(rows, "b") * x0 + column(rows, "d") * m)
    np.testing.assert_allclose(ends[0], ends[1], atol=1e-12)


@pytest.mark.parametrize("name", PREDICTIONS)
def test_the_first_and_the_last_step_of_dpm_solver_are_ddim(name: str) -> None:
    rows, first_order = dpmpp_2m(GRID, prediction(name), BARE), ddim(GRID, prediction(name), BARE)
    np.testing.assert_allclose(rows[[0, -1]], first_order[[0, -1]], atol=1e-12)
    assert (column(rows, "c")[1:-1] < 0).all()
    # Where two predictions agree, looking back changes nothing.
    np.testing.assert_allclose(column(rows, "b") + column(rows, "c"), column(first_order, "b"), atol=1e-12)
    np.testing.assert_allclose(column(rows, "a"), column(first_order, "a"), atol=1e-12)


def test_dpm_solver_looks_back_in_proportion_to_the_steps() -> None:
    h = np.diff(np.log(np.sqrt(LEVEL / (1 - LEVEL))))
    rows = dpmpp_2m(GRID, prediction(), BARE)
    for k in (1, 2):
        back = h[k] / h[k - 1] / 2
        assert column(rows, "b")[k] / column(rows, "c")[k] == pytest.approx(-(1 + back) / back)
