"""Whether a scheduler of diffusers does what our table of its name says: both on a denoiser that is a straight line."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from brood.protocol.manifest import Schedule
from brood.sampling.schedules import make_schedule
from brood.sampling.solver import INDEX

STEPS = 7
DRAWING = frozenset({"ddpm", "euler-ancestral"})  # draw noise of their own: they cannot be compared
X = np.linspace(-2.0, 2.0, 9)


def off_by(kind: str, config: Mapping[str, Any], words: Schedule, sampler: str) -> float | None:
    """How far our sample is from the scheduler's, in units of its largest number; None if it draws noise of its own.

    Args:
        kind, config: the scheduler.
        words: of the manifest.
        sampler: ours.
    """
    if sampler in DRAWING:
        return None
    theirs = _theirs(getattr(importlib.import_module("diffusers"), kind).from_config(dict(config)))
    ours = _ours(words, sampler)
    return float(np.abs(ours - theirs).max() / max(1.0, np.abs(theirs).max()))


def _line(x: Any) -> Any:
    """What the network says of what it is given."""
    return 0.4 * x + 0.1


def _ours(words: Schedule, sampler: str) -> np.ndarray:
    """m = line(s·x); x0 = p·x + q·m; x' = a·x + b·x0 + c·x0_prev + d·m, in float64."""
    schedule = make_schedule(words, {"sampler": sampler, "steps": STEPS})
    x, x0_prev = schedule.init[1] * X, np.zeros_like(X)
    for row in schedule.columns["solver"]:
        s, p, q, a, b, c, d = (row[INDEX[name]] for name in "spqabcd")
        m = _line(s * x)
        x0 = p * x + q * m
        x, x0_prev = a * x + b * x0 + c * x0_prev + d * m, x0
    return x


def _theirs(scheduler: Any) -> np.ndarray:
    scheduler.set_timesteps(STEPS)
    x = torch.from_numpy(X).double() * float(scheduler.init_noise_sigma)
    for t in scheduler.timesteps:
        x = scheduler.step(_line(scheduler.scale_model_input(x, t)), t, x).prev_sample
    found: np.ndarray = x.numpy()
    return found
