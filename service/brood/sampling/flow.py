"""Schedules of flow-matching models (Lipman et al. 2023; Liu et al. 2023, rectified flow)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from brood.sampling.solver import GUIDANCE_PARAMS, INDEX, kept, sampler_name, solved, table
from brood.sampling.terms import Floats, Given, Schedule

FLOW_PARAMS = ("steps", "sampler", "spacing", "strength", *GUIDANCE_PARAMS)


def linspace(steps: int, least: float) -> Floats:
    """σ evenly from 1 to ``least``, [K]."""
    return np.linspace(1.0, least, steps, dtype=np.float64)


def trailing(steps: int, least: float) -> Floats:
    """σ_k = 1 − k/K, [K]: with few steps none is spent on the last stretch. ``least`` has no say."""
    return 1 - np.arange(steps, dtype=np.float64) / steps


SPACINGS: dict[str, Callable[[int, float], Floats]] = {"linspace": linspace, "trailing": trailing}


def flow(given: Given) -> Schedule:
    """Euler's method along straight paths x = (1−σ)·x0 + σ·noise, σ from 1 to 0.

    The network gives m = v = noise − x0, told t = σ·T; x0 = x − σ·v. A step x' = x + (σ'−σ)·v is written as
    (σ'/σ)·x + (1−σ'/σ)·x0, which is equal and lets clamps and masks of x0 act on all of it.
    ``shift`` = s bends the levels, σ ← sσ/(1+(s−1)σ) (Esser et al. 2024, Scaling Rectified Flow Transformers).

    Parameters: ``steps``, ``sampler`` (euler), ``spacing`` (linspace, trailing; default linspace), ``strength``,
    ``guidance``, ``guidance_start``, ``guidance_stop``. Numbers: ``train_steps`` = T, ``shift`` (default 1), ``clip``.

    Raises:
        InvalidArgument, BundleError: as `brood.sampling.diffusion.diffusion`.
    """
    sampler_name(given, ("euler",), "euler")
    train_steps = int(given.number("train_steps", least=1))
    steps = given.steps(train_steps, f" (the model was trained on {train_steps} timesteps)")
    shift = given.number("shift", 1.0, least=1e-3, most=1e3)
    # The smallest level of training is itself shifted: that is how diffusers spaces, too.
    least = float(_shifted(np.array(1 / train_steps), shift))
    spaced = SPACINGS[given.word("spacing", SPACINGS, "linspace")](steps, least)
    sigma = _shifted(spaced, shift)
    ratio = np.append(sigma[1:], 0.0) / sigma
    rows = table(t=sigma * train_steps, p=1.0, q=-sigma, a=ratio, b=1 - ratio)[-kept(given, steps) :]
    first = float(-rows[0, INDEX["q"]])
    return solved(given, rows, (1 - first, first) if given.has("strength") else (0.0, 1.0))


def _shifted(sigma: Floats, shift: float) -> Floats:
    return shift * sigma / (1 + (shift - 1) * sigma)
