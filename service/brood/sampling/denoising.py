"""Samplers in the variance-preserving form: x = √ᾱ·x0 + √(1−ᾱ)·ε at every step. Each gives a table [K, 12]."""

from __future__ import annotations

import numpy as np

from brood.sampling.grid import Grid
from brood.sampling.prediction import Prediction
from brood.sampling.solver import table
from brood.sampling.terms import Floats, Given


def ddpm(grid: Grid, prediction: Prediction, given: Given) -> Floats:
    """Ancestral sampling with the smaller fixed variance (Ho et al. 2020, equations 6 and 7).

    With α = ᾱ/ᾱ', β = 1 − α: x' = (√α·(1−ᾱ')·x + √ᾱ'·β·x0)/(1−ᾱ) + √(β·(1−ᾱ')/(1−ᾱ))·noise.
    """
    alpha = grid.level / grid.to
    left = (1 - grid.to) / (1 - grid.level)
    return table(
        t=grid.t,
        p=prediction.p,
        q=prediction.q,
        a=np.sqrt(alpha) * left,
        b=np.sqrt(grid.to) * (1 - alpha) / (1 - grid.level),
        e=np.sqrt((1 - alpha) * left),
    )


def ddim(grid: Grid, prediction: Prediction, given: Given) -> Floats:
    """Denoising diffusion implicit models (Song et al. 2021, equations 12 and 16); ``eta`` 0 is the ODE, 1 is DDPM.

    x' = √ᾱ'·x0 + √(1−ᾱ'−e²)·ε + e·noise with e = η·√((1−ᾱ')/(1−ᾱ)·(1−ᾱ/ᾱ')).

    ε is worked out again from x and x0, ε = (x − √ᾱ·x0)/√(1−ᾱ), so that what is done to x0 (clamp, mask) is done to
    the whole step and d = 0. Only where x0 is clamped can that differ from the network's own ε, which is taken for
    word ``epsilon`` = "raw" (the default; "clipped" is the other).
    """
    e = given.number("eta", 0.0, least=0, most=1) * np.sqrt(
        (1 - grid.to) / (1 - grid.level) * (1 - grid.level / grid.to)
    )
    towards = np.sqrt(1 - grid.to - e**2)
    if given.word("epsilon", ("raw", "clipped"), "raw") == "raw" and given.has("clip"):
        a, b, d = towards * prediction.u, np.sqrt(grid.to), towards * prediction.w
    else:
        a = towards / np.sqrt(1 - grid.level)
        b, d = np.sqrt(grid.to) - a * np.sqrt(grid.level), np.zeros_like(a)
    return table(t=grid.t, p=prediction.p, q=prediction.q, a=a, b=b, d=d, e=e)


def dpmpp_2m(grid: Grid, prediction: Prediction, given: Given) -> Floats:
    """DPM-Solver++(2M) (Lu et al. 2022, algorithm 2); the first step and the last are of first order.

    With σ = √(1−ᾱ), λ = log(√ᾱ/σ), h = λ' − λ, r = h_before/h:
    x' = (σ'/σ)·x + √ᾱ'·(1 − e^−h)·((1 + 1/2r)·x0 − (1/2r)·x0_prev).
    """
    ratio = np.sqrt((1 - grid.to) / (1 - grid.level))
    decay = ratio * np.sqrt(grid.level / grid.to)  # e^-h
    back = np.zeros_like(ratio)  # 1/2r
    h = -np.log(decay[:-1])  # the last step's is infinite, and not needed
    back[1:-1] = h[1:] / h[:-1] / 2
    b = np.sqrt(grid.to) * (1 - decay)
    return table(t=grid.t, p=prediction.p, q=prediction.q, a=ratio, b=b * (1 + back), c=-b * back)
