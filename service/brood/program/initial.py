"""The first values of a row's state, and which seed and index its random numbers have."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from brood.protocol.manifest import Noise, Scalar
from brood.sampling.schedules import Schedule

FRAMES = "frames"  # the parameter that says of how many samples a row is one


def mixed(schedule: Schedule, noise: np.ndarray, given: np.ndarray | None) -> np.ndarray:
    """i0·given + i1·noise in float32; without ``given``, i1·noise.

    Args:
        schedule: of the row; says (i0, i1).
        noise: float32 of any shape.
        given: of the same shape, or None.
    """
    i0, i1 = schedule.init
    drawn = noise if i1 == 1 else np.float32(i1) * noise
    return drawn if given is None else np.float32(i0) * given.astype(np.float32) + drawn


def frame(index: int, params: Mapping[str, Scalar]) -> np.ndarray:
    """index / (frames − 1), float64 []: 0 for the first of so many samples, 1 for the last."""
    return np.asarray(index / (int(params[FRAMES]) - 1))


def seed_and_index(noise: Noise, seed: int, index: int, params: Mapping[str, Scalar]) -> tuple[int, int]:
    """Those of a noise input: the row's own, unless the input names parameters in their place."""
    return (
        seed if noise.seed is None else int(params[noise.seed]),
        index if noise.index is None else int(params[noise.index]),
    )
