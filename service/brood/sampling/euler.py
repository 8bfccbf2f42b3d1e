"""Euler's method in the σ form: x = x0 + σ·ε with σ = √(1/ᾱ − 1); the network sees s·x = x/√(σ²+1).

Each gives a table [K, 12]. (Karras et al. 2022, Elucidating the Design Space of Diffusion-Based Generative Models.)
"""

from __future__ import annotations

import numpy as np

from brood.sampling.grid import Grid
from brood.sampling.prediction import Prediction
from brood.sampling.solver import table
from brood.sampling.terms import Floats, Given


def euler(grid: Grid, prediction: Prediction, given: Given) -> Floats:
    """x' = x + (σ'−σ)·(x − x0)/σ."""
    return _towards(grid, prediction, _sigma(grid.to), np.zeros_like(grid.t))


def euler_ancestral(grid: Grid, prediction: Prediction, given: Given) -> Floats:
    """Down to σ_down and up again by noise: σ_up² = σ'²·(σ²−σ'²)/σ², σ_down² = σ'² − σ_up².

    (k-diffusion's ancestral step; for whole timesteps it draws from the same distribution as DDPM.)
    """
    start, end = _sigma(grid.level), _sigma(grid.to)
    up = end * np.sqrt(1 - (end / start) ** 2)
    return _towards(grid, prediction, end**2 / start, up)


def _sigma(level: Floats) -> Floats:
    return np.sqrt(1 / level - 1)


def _towards(grid: Grid, prediction: Prediction, end: Floats, e: Floats) -> Floats:
    """The straight line from x at σ to x0 at 0, followed to ``end``; then ``e``·noise."""
    a = end / _sigma(grid.level)
    s = np.sqrt(grid.level)  # 1/√(σ²+1)
    return table(t=grid.t, s=s, p=prediction.p * s, q=prediction.q, a=a, b=1 - a, e=e)
