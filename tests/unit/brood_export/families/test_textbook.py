"""The papers' samplers against closed forms: data that are Gaussian have an exact denoiser and an exact answer."""

import math

import numpy as np
import pytest

from brood_export.families.textbook import SAMPLERS, Estimate, Floats, Path, data, ddim, dpmpp_2m, path_of, trailing
from helpers.tiny_models import cosine_levels

pytestmark = pytest.mark.export

MEAN, SPREAD = 0.7, 0.4  # of the data
NOISE = np.random.default_rng(0)


def path(steps: int) -> Path:
    return path_of(cosine_levels(), trailing(1000, steps))


def exact(found: Path) -> Estimate:
    """E[x_0 | x] of data N(MEAN, SPREAD²)."""

    def estimate(x: Floats, k: int) -> Floats:
        alpha, sigma = found.alpha[k], found.sigma[k]
        mean: Floats = (alpha * SPREAD**2 * x + sigma**2 * MEAN) / (alpha**2 * SPREAD**2 + sigma**2)
        return mean

    return estimate


def run(name: str, x: Floats, steps: int) -> Floats:
    return SAMPLERS[name](exact(path(steps)), x, path(steps), lambda k: NOISE.standard_normal(x.shape))


def error(name: str, steps: int) -> float:
    """Of a sampler that solves the differential equation, whose solution maps x at its quantile to the data's."""
    x = np.linspace(-2.0, 2.0, 9)
    return float(np.abs(run(name, x, steps) - (MEAN + SPREAD * x)).max())


@pytest.mark.parametrize("name", ["ddim", "euler", "dpmpp-2m"])
def test_without_noise_the_differential_equation_is_solved(name: str) -> None:
    assert error(name, 500) < 5e-3


@pytest.mark.parametrize(("name", "order"), [("ddim", 1), ("euler", 1), ("dpmpp-2m", 2)])
def test_errors_fall_with_the_sampler_s_order(name: str, order: int) -> None:
    # Measured away from the last step, which is of first order for all of them.
    finer = error(name, 100) / error(name, 200)
    assert finer > 2**order * 0.8


@pytest.mark.parametrize("name", ["ddpm", "euler-ancestral"])
def test_with_noise_the_data_s_distribution_comes_out(name: str) -> None:
    made = run(name, NOISE.standard_normal(20_000), 200)
    assert made.mean() == pytest.approx(MEAN, abs=0.02)
    assert made.std() == pytest.approx(SPREAD, rel=0.03)


def test_ddim_with_all_its_noise_is_ddpm() -> None:
    """The paper says so: eta = 1 is the ancestral sampler with the posterior's variance."""
    x, draws = NOISE.standard_normal(5), NOISE.standard_normal((20, 5))
    found = path(20)
    noisy = ddim(exact(found), x, found, lambda k: draws[k], eta=1.0)
    np.testing.assert_allclose(noisy, SAMPLERS["ddpm"](exact(found), x, found, lambda k: draws[k]), atol=1e-9)


def test_the_last_step_of_dpmpp_is_the_estimate_itself() -> None:
    found = path(1)
    x = np.ones(3)
    np.testing.assert_array_equal(dpmpp_2m(exact(found), x, found, lambda k: x), exact(found)(x, 0))


@pytest.mark.parametrize("prediction", ["epsilon", "v", "x0"])
def test_what_was_predicted_gives_back_the_data(prediction: str) -> None:
    alpha, sigma = 0.6, 0.8
    x0, epsilon = NOISE.standard_normal((2, 4))
    x = alpha * x0 + sigma * epsilon
    m = {"epsilon": epsilon, "v": alpha * epsilon - sigma * x0, "x0": x0}[prediction]
    np.testing.assert_allclose(data(m, x, alpha, sigma, prediction), x0, atol=1e-12)  # type: ignore[arg-type]


def test_trailing_begins_at_the_last_timestep() -> None:
    assert trailing(1000, 4) == [999, 749, 499, 249]
    assert trailing(1000, 3) == [999, 666, 332]
    assert trailing(10, 10) == list(range(9, -1, -1))
    assert math.isclose(path(4).alpha[-1], 1.0)
