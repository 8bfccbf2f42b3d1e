"""The σ form against the variance-preserving one: the same samplers in other units, x_σ = x/√ᾱ."""

import numpy as np
import pytest

from brood.sampling.denoising import ddim, ddpm
from brood.sampling.euler import euler, euler_ancestral
from brood.sampling.grid import Grid
from brood.sampling.prediction import PREDICTIONS
from brood.sampling.solver import INDEX
from brood.sampling.terms import Floats, Given

LEVEL = np.array([0.01, 0.2, 0.55, 0.9])
GRID = Grid(np.array([99.0, 60.0, 30.0, 5.0]), LEVEL, np.append(LEVEL[1:], 1.0))
BARE = Given({}, {}, {})


def in_sigma_form(rows: Floats) -> Floats:
    """A table of the variance-preserving form, in units of x/√ᾱ."""
    here, there, scaled = np.sqrt(GRID.level), np.sqrt(GRID.to), rows.copy()
    for name, factor in {"s": here, "p": here, "a": here / there, "b": 1 / there, "e": 1 / there}.items():
        scaled[:, INDEX[name]] *= factor
    return scaled


@pytest.mark.parametrize("name", PREDICTIONS)
def test_euler_is_ddim_without_noise(name: str) -> None:
    prediction = PREDICTIONS[name](LEVEL)
    np.testing.assert_allclose(
        euler(GRID, prediction, BARE), in_sigma_form(ddim(GRID, prediction, BARE)), rtol=1e-10, atol=1e-12
    )


@pytest.mark.parametrize("name", PREDICTIONS)
def test_euler_ancestral_is_ddpm(name: str) -> None:
    prediction = PREDICTIONS[name](LEVEL)
    np.testing.assert_allclose(
        euler_ancestral(GRID, prediction, BARE), in_sigma_form(ddpm(GRID, prediction, BARE)), rtol=1e-10, atol=1e-12
    )


def test_the_network_sees_numbers_of_one_scale() -> None:
    rows = euler(GRID, PREDICTIONS["epsilon"](LEVEL), BARE)
    sigma = np.sqrt(1 / LEVEL - 1)
    np.testing.assert_allclose(rows[:, INDEX["s"]], 1 / np.sqrt(sigma**2 + 1))
    np.testing.assert_allclose(rows[:, INDEX["q"]], -sigma)
