"""Samplers against closed forms: for data N(MEAN, SPREAD²) the best network is known and linear in x.

With x = signal·x0 + scale·noise, E[x0 | x] = MEAN + signal·SPREAD²/(signal²·SPREAD² + scale²)·(x − signal·MEAN), and
the probability-flow ODE keeps z = (x − signal·MEAN)/√(signal²·SPREAD² + scale²), so that it ends at MEAN + SPREAD·z.
"""

from __future__ import annotations

import numpy as np
import pytest

from brood.protocol.manifest import Scalar
from brood.protocol.manifest import Schedule as ScheduleWords
from brood.sampling.betas import signal_levels
from brood.sampling.prediction import PREDICTIONS
from brood.sampling.schedules import Schedule, make_schedule
from brood.sampling.terms import Given
from helpers.solver import Floats, Network, column, run_table

MEAN, SPREAD = 0.7, 0.4
Z = np.linspace(-2, 2, 9)
T = 10_000  # fine enough that rounding a timestep does not show


def words(prediction: str = "epsilon") -> ScheduleWords:
    numbers = {"train_steps": T, "beta_start": 0.1 / T, "beta_end": 20 / T}
    return ScheduleWords(kind="diffusion", numbers=numbers, words={"betas": "linear", "prediction": prediction})


def denoise(x: Floats, signal: float, scale: float) -> Floats:
    """E[x0 | x]."""
    x0: Floats = MEAN + signal * SPREAD**2 / (signal**2 * SPREAD**2 + scale**2) * (x - signal * MEAN)
    return x0


def level_at(t: float) -> float:
    levels = signal_levels(Given({}, words().numbers, words().words))
    return float(1 / (1 + np.interp(t, np.arange(T), np.sqrt(1 / levels - 1)) ** 2))


def best(prediction: str) -> Network:
    """The best network of a diffusion model, for what it is to predict."""

    def network(x: Floats, t: float) -> Floats:
        level = level_at(t)
        signal, scale = level**0.5, (1 - level) ** 0.5
        x0 = denoise(x, signal, scale)
        epsilon = (x - signal * x0) / scale
        said: dict[str, Floats] = {"epsilon": epsilon, "x0": x0, "v": signal * epsilon - scale * x0}
        return said[prediction]

    return network


def error(sampler: str, steps: int, prediction: str = "epsilon") -> float:
    """Of a run without noise: largest distance to the exact end of the ODE."""
    made = make_schedule(words(prediction), {"steps": steps, "sampler": sampler, "spacing": "leading"})
    level = level_at(float(column(made, "t")[0]))
    start = level**0.5 * MEAN + np.sqrt(level * SPREAD**2 + 1 - level) * Z
    start /= column(made, "s")[0] * made.init[1]
    end = run_table(made, best(prediction), start, np.zeros((steps, *Z.shape))).x[-1]
    return float(np.abs(end - (MEAN + SPREAD * Z)).max())


@pytest.mark.parametrize("sampler", ["ddim", "euler"])
def test_first_order(sampler: str) -> None:
    errors = [error(sampler, steps) for steps in (25, 100, 400)]
    assert errors[2] < 0.01
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.15)
    assert errors[1] / errors[2] == pytest.approx(4, rel=0.15)


def test_second_order() -> None:
    errors = [error("dpmpp-2m", steps) for steps in (10, 40, 160)]
    assert errors[0] / errors[1] > 16
    assert errors[1] / errors[2] > 16
    assert errors[1] < error("euler", 40) / 5


@pytest.mark.parametrize("sampler", ["ddim", "euler", "dpmpp-2m"])
def test_the_kind_of_prediction_makes_no_difference(sampler: str) -> None:
    errors = [error(sampler, 30, prediction) for prediction in PREDICTIONS]
    np.testing.assert_allclose(errors, errors[0], rtol=1e-8)


def moments(made: Schedule, network: Network) -> tuple[float, float]:
    """Mean and standard deviation of the end, exactly: every step is x' = slope·x + shift + e·noise."""
    mean, variance = 0.0, made.init[1] ** 2
    for row in made.columns["solver"]:
        step = Schedule(1, {"solver": row[None]})
        shift, one = run_table(step, network, np.array([0.0, 1.0]), np.zeros((1, 2))).x[-1]
        mean, variance = (one - shift) * mean + shift, (one - shift) ** 2 * variance + row[9] ** 2
    return float(mean), float(variance**0.5)


STOCHASTIC: list[dict[str, Scalar]] = [
    {"sampler": "ddpm"},
    {"sampler": "ddim", "eta": 0.5},
    {"sampler": "ddim", "eta": 1.0},
    {"sampler": "euler-ancestral"},
]


@pytest.mark.parametrize("params", STOCHASTIC, ids=str)
def test_moments_come_nearer_with_every_step(params: dict[str, Scalar]) -> None:
    off = []
    for steps in (50, 200, 800):
        made = make_schedule(words(), {"steps": steps, "spacing": "trailing", **params})
        mean, spread = moments(made, best("epsilon"))
        assert mean == pytest.approx(MEAN, abs=0.005)
        off.append(abs(spread - SPREAD))
    assert off[2] < 0.01
    assert off[0] > 3 * off[1] > 9 * off[2]


@pytest.mark.parametrize("shift", [1.0, 3.0])
def test_flow_ends_where_its_ode_ends(shift: float) -> None:
    fixed = ScheduleWords(kind="flow", numbers={"train_steps": T, "shift": shift})

    def velocity(x: Floats, t: float) -> Floats:
        return (x - denoise(x, 1 - t / T, t / T)) / (t / T)

    errors = []
    for steps in (25, 100, 400):
        made = make_schedule(fixed, {"steps": steps, "spacing": "trailing"})
        end = run_table(made, velocity, Z, np.zeros((steps, *Z.shape))).x[-1]
        errors.append(np.abs(end - (MEAN + SPREAD * Z)).max())
    assert errors[2] < 0.01
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.3)
    assert errors[1] / errors[2] == pytest.approx(4, rel=0.3)


def score(x: Floats, sigma: float) -> Floats:
    """∇ log of N(MEAN, SPREAD² + σ²)."""
    return (MEAN - x) / (SPREAD**2 + sigma**2)


@pytest.mark.parametrize("steps", [1, 10, 1000])
def test_langevin_has_the_moments_of_its_chain(steps: int) -> None:
    step = 0.002
    made = make_schedule(ScheduleWords(kind="langevin", numbers={"step": step}), {"steps": steps})
    mean, spread = moments(made, score)
    rho = 1 - step / SPREAD**2
    assert mean == pytest.approx(MEAN * (1 - rho**steps))
    assert spread**2 == pytest.approx(rho ** (2 * steps) + 2 * step * (1 - rho ** (2 * steps)) / (1 - rho**2))
    if steps == 1000:
        np.testing.assert_allclose([mean, spread], [MEAN, SPREAD], atol=0.01)


@pytest.mark.parametrize("prediction", ["score", "epsilon"])
def test_annealed_langevin_reaches_the_data(prediction: str) -> None:
    numbers = {"step": 4e-4, "sigma_max": 5.0, "sigma_min": 0.05}
    fixed = ScheduleWords(kind="langevin", numbers=numbers, words={"prediction": prediction})
    made = make_schedule(fixed, {"steps": 400})

    def network(x: Floats, t: float) -> Floats:
        return score(x, t) if prediction == "score" else -t * score(x, t)

    mean, spread = moments(made, network)
    assert mean == pytest.approx(MEAN, abs=0.02)
    assert spread == pytest.approx(np.hypot(SPREAD, 0.05), abs=0.02)
    run = run_table(made, network, Z, np.zeros((400, *Z.shape)))
    for k in (0, 200, 399):
        sigma = float(column(made, "t")[k])
        np.testing.assert_allclose(run.x0[k], denoise(run.x[k], 1.0, sigma))
