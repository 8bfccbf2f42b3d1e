"""Noise schedules of variance-preserving diffusion: how much signal is left at each timestep of training.

A noisy sample at timestep t is √ᾱ_t·x0 + √(1−ᾱ_t)·noise, with ᾱ_t = ∏ (1−β_i) over i ≤ t.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from brood.sampling.terms import Floats, Given

COSINE_OFFSET = 0.008
COSINE_MOST = 0.999
LEAST_LEVEL = 1e-30  # 1/√ᾱ and its like stay far inside of float32


def linear(steps: int, given: Given) -> Floats:
    """β rises linearly from ``beta_start`` to ``beta_end`` (Ho et al. 2020)."""
    return np.linspace(*_ends(given), steps, dtype=np.float64)


def scaled_linear(steps: int, given: Given) -> Floats:
    """√β rises linearly (Rombach et al. 2022, High-Resolution Image Synthesis with Latent Diffusion Models)."""
    start, end = _ends(given)
    return np.square(np.linspace(start**0.5, end**0.5, steps, dtype=np.float64))


def cosine(steps: int, given: Given) -> Floats:
    """ᾱ(t) = cos²((t/T + 0.008)/1.008 · π/2), β at most 0.999 (Nichol and Dhariwal 2021; "squaredcos_cap_v2")."""
    share = np.arange(steps + 1) / steps
    signal = np.cos((share + COSINE_OFFSET) / (1 + COSINE_OFFSET) * np.pi / 2) ** 2
    betas: Floats = np.minimum(1 - signal[1:] / signal[:-1], COSINE_MOST)
    return betas


BETAS: dict[str, Callable[[int, Given], Floats]] = {
    "linear": linear,
    "scaled_linear": scaled_linear,
    "cosine": cosine,
}


def signal_levels(given: Given) -> Floats:
    """ᾱ of every timestep of training, [T], falling.

    Words: ``betas``, one of BETAS. Numbers: ``train_steps`` = T; ``beta_start`` and ``beta_end`` (not for cosine).

    Raises:
        BundleError: a word or number is missing or out of range, or no signal is left in the end.
    """
    steps = int(given.number("train_steps", least=1))
    betas = BETAS[given.word("betas", BETAS)]
    levels = np.cumprod(1 - betas(steps, given), dtype=np.float64)
    if levels[-1] < LEAST_LEVEL:
        allowed = (
            f"a number of timesteps after which ᾱ is at least {LEAST_LEVEL:g}; with these betas it is {levels[-1]:g}"
        )
        raise given.refusal("train_steps", "numbers", steps, allowed)
    return levels


def _ends(given: Given) -> tuple[float, float]:
    return given.number("beta_start", least=1e-12, most=0.999), given.number("beta_end", least=1e-12, most=0.999)
