"""Schedules of variance-preserving diffusion models."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from brood.sampling import denoising, euler, grid
from brood.sampling.betas import signal_levels
from brood.sampling.grid import SPACING, Grid
from brood.sampling.prediction import PREDICTIONS, Prediction
from brood.sampling.solver import GUIDANCE_PARAMS, kept, sampler_name, solved
from brood.sampling.spacing import SPACINGS
from brood.sampling.terms import Floats, Given, Schedule

DIFFUSION_PARAMS = ("steps", "sampler", "eta", "spacing", "strength", *GUIDANCE_PARAMS)


def from_noise(given: Given, level: float) -> tuple[float, float]:
    """(i0, i1) of a run whose first step is at ᾱ = ``level``: noise alone, or a given sample with noise."""
    return (float(np.sqrt(level)), float(np.sqrt(1 - level))) if given.has("strength") else (0.0, 1.0)


def from_sigma(given: Given, level: float) -> tuple[float, float]:
    """The same in the σ form. Of noise alone there is σ, but for spacing "leading" √(σ²+1), which is exact."""
    sigma = float(np.sqrt(1 / level - 1))
    if given.has("strength"):
        return 1.0, sigma
    return 0.0, float(1 / np.sqrt(level)) if given.word("spacing", SPACINGS, SPACING) == "leading" else sigma


@dataclass(frozen=True, slots=True)
class Sampler:
    """How a sampler's table is made."""

    grid: Callable[[Given, Floats], Grid]
    table: Callable[[Grid, Prediction, Given], Floats]
    init: Callable[[Given, float], tuple[float, float]]


SAMPLERS: dict[str, Sampler] = {
    "ddpm": Sampler(grid.chain, denoising.ddpm, from_noise),
    "ddim": Sampler(grid.strides, denoising.ddim, from_noise),
    "euler": Sampler(grid.between, euler.euler, from_sigma),
    "euler-ancestral": Sampler(grid.between, euler.euler_ancestral, from_sigma),
    "dpmpp-2m": Sampler(grid.spare, denoising.dpmpp_2m, from_noise),
}


def diffusion(given: Given) -> Schedule:
    """The solver's table for a model of x0, noise and the levels between.

    Parameters: ``steps``, ``sampler`` (one of SAMPLERS, default ddim), ``eta`` of ddim, ``spacing`` (default leading),
    ``guidance``, ``guidance_start``, ``guidance_stop``, ``strength`` (only where a sample is given to begin from).
    Words: ``betas``, ``prediction`` (epsilon, v, x0); of ddim ``epsilon`` (see `denoising.ddim`) and ``leads`` (see
    `grid.strides`). Numbers: ``train_steps``, ``beta_start``, ``beta_end``, ``steps_offset``, ``set_alpha_to_one``,
    ``clip``.

    All tables have d = 0, so that masks act on all of a step, with one exception: ddim with ``clip``. A bundle that
    has both and completes masked samples says ``epsilon`` = "clipped".

    Raises:
        InvalidArgument: naming ``params.NAME``.
        BundleError: naming ``schedule.numbers.NAME`` or ``schedule.words.NAME``.
    """
    sampler = SAMPLERS[sampler_name(given, SAMPLERS, "ddim")]
    whole = sampler.grid(given, signal_levels(given))
    run = whole.last(kept(given, len(whole.t)))
    prediction = PREDICTIONS[given.word("prediction", PREDICTIONS)](run.level)
    return solved(given, sampler.table(run, prediction, given), sampler.init(given, float(run.level[0])))
