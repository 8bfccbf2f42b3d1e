"""The first value of a state that is mixed from noise and an input."""

from __future__ import annotations

import numpy as np

from brood.sampling.schedules import Schedule


def mixed(schedule: Schedule, noise: np.ndarray, given: np.ndarray | None) -> np.ndarray:
    """i0·given + i1·noise in float32; without ``given``, i1·noise.

    Args:
        schedule: of the row; says (i0, i1).
        noise: float32 of any shape.
        given: of the same shape, or None.
    """
    i0, i1 = (np.float32(number) for number in schedule.init)
    drawn: np.ndarray = i1 * noise
    return drawn if given is None else i0 * given.astype(np.float32) + drawn
