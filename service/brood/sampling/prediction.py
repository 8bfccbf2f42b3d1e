"""What a denoising network predicts, and how x0 and ε follow from it at signal level ᾱ.

With x = √ᾱ·x0 + √(1−ᾱ)·ε and the network's output m: x0 = p·x + q·m and ε = u·x + w·m.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from brood.sampling.terms import Floats


class Prediction(NamedTuple):
    """The four coefficients at each of K levels, [K] each."""

    p: Floats
    q: Floats
    u: Floats
    w: Floats


def epsilon(level: Floats) -> Prediction:
    """m = ε, the noise (Ho et al. 2020)."""
    signal, noise = np.sqrt(level), np.sqrt(1 - level)
    return Prediction(1 / signal, -noise / signal, np.zeros_like(level), np.ones_like(level))


def velocity(level: Floats) -> Prediction:
    """m = v = √ᾱ·ε − √(1−ᾱ)·x0 (Salimans and Ho 2022, Progressive Distillation)."""
    signal, noise = np.sqrt(level), np.sqrt(1 - level)
    return Prediction(signal, -noise, noise, signal)


def denoised(level: Floats) -> Prediction:
    """m = x0, the sample without noise."""
    signal, noise = np.sqrt(level), np.sqrt(1 - level)
    return Prediction(np.zeros_like(level), np.ones_like(level), 1 / noise, -signal / noise)


PREDICTIONS: dict[str, Callable[[Floats], Prediction]] = {"epsilon": epsilon, "v": velocity, "x0": denoised}
