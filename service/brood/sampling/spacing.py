"""Which timesteps of training a shorter run visits (Lin et al. 2023, Common Diffusion Noise Schedules and Sample
Steps are Flawed, table 2).

With few steps take "trailing": it alone begins at the last timestep, where the sample is all noise, also for K = 1.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from brood.sampling.terms import Floats


def leading(steps: int, train_steps: int, offset: int) -> Floats:
    """Multiples of ⌊T/K⌋ from 0 on, plus ``offset``."""
    return np.arange(steps, dtype=np.float64)[::-1] * (train_steps // steps) + offset


def linspace(steps: int, train_steps: int, offset: int) -> Floats:
    """K numbers evenly from T−1 to 0; not rounded here. ``offset`` has no say."""
    return np.linspace(0, train_steps - 1, steps, dtype=np.float64)[::-1]


def trailing(steps: int, train_steps: int, offset: int) -> Floats:
    """T−1 and down in strides of T/K, rounded. ``offset`` has no say."""
    # Rounding makes arange give one entry too many for some K.
    return np.arange(train_steps, 0, -train_steps / steps, dtype=np.float64)[:steps].round() - 1


SPACINGS: dict[str, Callable[[int, int, int], Floats]] = {
    "leading": leading,
    "linspace": linspace,
    "trailing": trailing,
}
