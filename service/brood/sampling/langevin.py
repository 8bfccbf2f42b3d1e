"""Schedules of Langevin dynamics, for energy and score models."""

from __future__ import annotations

import numpy as np

from brood.sampling.solver import GUIDANCE_PARAMS, INDEX, kept, sampler_name, solved, table
from brood.sampling.terms import Given, Schedule

LANGEVIN_PARAMS = ("steps", "sampler", "strength", *GUIDANCE_PARAMS)
LEAST_SIGMA = 1e-6


def langevin(given: Given) -> Schedule:
    """Unadjusted Langevin dynamics: x' = x + α·score(x) + √(2α)·noise.

    What the network gives is word ``prediction``: "score" (the default), m = ∇ log p(x), for an energy −∇E; or
    "epsilon", m = −σ·score, which needs noise levels.

    Without noise levels α = ``step`` always, t = 0, and x itself stands for x0. With them (Song and Ermon 2019,
    Generative Modeling by Estimating Gradients of the Data Distribution) σ falls geometrically from ``sigma_max`` to
    ``sigma_min``, a level a step, α = ``step``·(σ/sigma_min)², t = σ, and x0 = x + σ²·score (Tweedie's formula).
    x0 is what a preview shows. The step itself is a = 1 and d = α (−α/σ for "epsilon"): clamps and masks do not act on
    it, so such a bundle does not complete masked samples. It begins with noise of scale sigma_max, or 1 without levels.

    Parameters: ``steps``, ``sampler`` (langevin), ``strength``, ``guidance``, ``guidance_start``, ``guidance_stop``.
    Numbers: ``step``; ``sigma_max`` and ``sigma_min``, both or neither; ``clip``.

    Raises:
        InvalidArgument, BundleError: as `brood.sampling.diffusion.diffusion`.
    """
    sampler_name(given, ("langevin",), "langevin")
    steps, step = given.steps(), given.number("step", least=0)
    noisy = given.word("prediction", ("score", "epsilon"), "score") == "epsilon"
    sigma, alpha = np.zeros(steps), np.full(steps, step)
    if noisy or given.has("sigma_max"):
        least = given.number("sigma_min", least=LEAST_SIGMA)
        sigma = np.geomspace(given.number("sigma_max", least=least), least, steps)
        alpha = step * (sigma / least) ** 2
    scale = -1 / sigma if noisy else np.ones(steps)  # score = scale·m
    rows = table(t=sigma, p=1.0, q=sigma**2 * scale, a=1.0, d=alpha * scale, e=np.sqrt(2 * alpha))
    rows = rows[-kept(given, steps) :]
    first = float(rows[0, INDEX["t"]])
    if given.has("strength"):
        return solved(given, rows, (1.0, first))
    return solved(given, rows, (0.0, first or 1.0))
