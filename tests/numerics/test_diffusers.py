"""Our tables against the diffusers schedulers, in float64 on a linear network: whole trajectories, step by step."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

from brood.protocol.manifest import Schedule
from brood.sampling.diffusion import SAMPLERS
from brood.sampling.schedules import make_schedule
from brood.sampling.spacing import SPACINGS
from helpers.reference_schedulers import Reference
from helpers.solver import Floats, run_table

# diffusers makes numpy arrays of torch tensors, which torch has not learnt in numpy's newest way.
pytestmark = [pytest.mark.export, pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")]

TOLERANCE = 1e-9  # of the largest number of the trajectory
SHAPE = (3, 4)
BETAS = {"linear": "linear", "scaled_linear": "scaled_linear", "cosine": "squaredcos_cap_v2"}
PREDICTIONS = {"epsilon": "epsilon", "v": "v_prediction", "x0": "sample"}
T = 1000


def network(x: Floats, t: float) -> Floats:
    """Linear in x, different for each timestep and each number."""
    slope = np.linspace(0.4, 0.9, x.size).reshape(x.shape)
    return slope * x + np.sin(t / T + slope)


def draws(steps: int) -> tuple[Floats, Floats, Floats]:
    """Noise of the beginning, noise of the steps, something given."""
    source = np.random.default_rng(steps)
    return source.normal(size=SHAPE), source.normal(size=(steps, *SHAPE)), source.uniform(-1, 1, SHAPE)


def compare(words: Schedule, params: dict[str, Any], reference: Reference) -> None:
    start, noise, given = draws(reference.steps)
    strength = params.get("strength")
    ours = make_schedule(words, {"steps": reference.steps, **params})
    first = given if strength is not None else None
    expected = reference.run(network, start, noise, first, strength or 1.0)
    found = run_table(ours, network, start, noise[: ours.steps], given=first).x
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE * np.abs(expected).max())


def diffusion(
    sampler: str,
    steps: int,
    *,
    spacing: str = "leading",
    betas: str = "scaled_linear",
    prediction: str = "epsilon",
    clip: float | None = None,
    offset: int = 0,
    to_one: bool = True,
    eta: float = 0.0,
    epsilon: str = "raw",
    strength: float | None = None,
) -> None:
    """Compare one run of a model of variance-preserving diffusion."""
    numbers: dict[str, float] = {"train_steps": T, "beta_start": 8.5e-4, "beta_end": 0.012, "steps_offset": offset}
    config: dict[str, Any] = {"num_train_timesteps": T, "beta_start": 8.5e-4, "beta_end": 0.012}
    config |= {"beta_schedule": BETAS[betas], "prediction_type": PREDICTIONS[prediction]}
    config |= {"timestep_spacing": spacing, "steps_offset": offset}
    step: dict[str, Any] = {}
    if sampler == "dpmpp-2m":
        config |= {"algorithm_type": "dpmsolver++", "solver_order": 2, "solver_type": "midpoint"}
    if sampler in ("ddpm", "ddim"):
        config |= {"clip_sample": clip is not None, "clip_sample_range": clip or 1.0}
    if sampler == "ddim":
        config |= {"set_alpha_to_one": to_one}
        step = {"eta": eta, "use_clipped_model_output": epsilon == "clipped"}
        numbers["set_alpha_to_one"] = float(to_one)
    if clip is not None:
        numbers["clip"] = clip
    fixed = {"betas": betas, "prediction": prediction, "epsilon": epsilon, "leads": "stride"}
    params = {"sampler": sampler, "spacing": spacing, "eta": eta} | ({} if strength is None else {"strength": strength})
    reference = Reference(sampler, steps, config, step, {})
    compare(Schedule(kind="diffusion", numbers=numbers, words=fixed), params, reference)


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("steps", [1, 2, 3, 7, 20, 50, 333])
def test_spacings_and_step_counts(sampler: str, spacing: str, steps: int) -> None:
    diffusion(sampler, steps, spacing=spacing)


# Its Euler-ancestral scheduler does not take x0; unit/sampling/test_euler.py holds ours against DDPM.
TAKEN = [pair for pair in product(SAMPLERS, PREDICTIONS) if pair != ("euler-ancestral", "x0")]


@pytest.mark.parametrize(("sampler", "prediction"), TAKEN)
@pytest.mark.parametrize("betas", BETAS)
def test_predictions_and_noise_schedules(sampler: str, prediction: str, betas: str) -> None:
    diffusion(sampler, 13, prediction=prediction, betas=betas, spacing="trailing")


@pytest.mark.parametrize("prediction", PREDICTIONS)
@pytest.mark.parametrize("epsilon", ["raw", "clipped"])
@pytest.mark.parametrize("clip", [None, 0.3, 1.0])
@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
def test_ddim(prediction: str, epsilon: str, clip: float | None, eta: float) -> None:
    diffusion("ddim", 11, prediction=prediction, clip=clip, eta=eta, epsilon=epsilon)


@pytest.mark.parametrize("prediction", PREDICTIONS)
@pytest.mark.parametrize("clip", [0.3, 1.0])
def test_ddpm_clips(prediction: str, clip: float) -> None:
    diffusion("ddpm", 17, prediction=prediction, clip=clip)


@pytest.mark.parametrize("to_one", [True, False])
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_offset_and_final_level(sampler: str, to_one: bool) -> None:
    diffusion(sampler, 25, offset=1, to_one=to_one, eta=0.3 if sampler == "ddim" else 0.0)


@pytest.mark.parametrize("strength", [0.1, 0.35, 0.58, 1.0])
@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_strength(sampler: str, spacing: str, strength: float) -> None:
    diffusion(sampler, 50, spacing=spacing, strength=strength)


@pytest.mark.parametrize(("steps", "strength"), [(1, None), (1, 1.0), (2, 0.5), (4, None), (28, 0.6), (28, 1.0)])
@pytest.mark.parametrize("shift", [1.0, 3.0])
@pytest.mark.parametrize("spacing", ["linspace", "trailing"])
def test_flow_matching(steps: int, strength: float | None, shift: float, spacing: str) -> None:
    timesteps = {"sigmas": np.linspace(1.0, 1 / steps, steps)} if spacing == "trailing" else {}
    words = Schedule(kind="flow", numbers={"train_steps": T, "shift": shift})
    params: dict[str, Any] = {"spacing": spacing} | ({} if strength is None else {"strength": strength})
    config = {"num_train_timesteps": T, "shift": shift}
    compare(words, params, Reference("flow", steps, config, {}, timesteps))
