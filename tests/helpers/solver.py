"""What a solver's table means, in float64: the twelve numbers of a row applied as the denoising graph applies them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from brood.sampling.solver import ROW
from brood.sampling.terms import Schedule

Floats = NDArray[np.float64]
Network = Callable[[Floats, float], Floats]


@dataclass(frozen=True)
class Run:
    """Every step of one run."""

    x: Floats  # [K + 1, ...], the first is the beginning
    x0: Floats  # [K, ...], after clamp and mask


def zero(x: Floats, t: float) -> Floats:
    """A network without a condition says nothing of its own."""
    return np.zeros_like(x)


def run_table(
    schedule: Schedule,
    network: Network,
    start: Floats,
    noise: Floats,
    *,
    given: Floats | None = None,
    unconditional: Network = zero,
    mask: Floats | float = 0.0,
    known: Floats | float = 0.0,
) -> Run:
    """Run a schedule of kind diffusion, flow or langevin.

    Args:
        network: (s·x, t) to m, with the condition; it is called alone where g = 1.
        start: noise of the beginning, of any shape.
        noise: [K, *shape of start], of the steps.
        given: what an image-to-image run begins from.
        unconditional: the network without the condition, for g ≠ 1.
        mask, known: 1 where ``known`` is put for x0.
    """
    from_given, from_noise = schedule.init
    x = from_noise * start + (0.0 if given is None else from_given * given)
    before, xs, x0s = np.zeros_like(x), [x], []
    for numbers, fresh in zip(schedule.columns["solver"], noise, strict=True):
        t, s, g, p, q, a, b, c, d, e, lo, hi = (float(number) for number in numbers)
        m = network(s * x, t)
        if g != 1.0:
            bare = unconditional(s * x, t)
            m = bare + g * (m - bare)
        x0 = (1 - mask) * np.clip(p * x + q * m, lo, hi) + mask * known
        x, before = a * x + b * x0 + c * before + d * m + e * fresh, x0
        xs.append(x)
        x0s.append(x0)
    return Run(np.stack(xs), np.stack(x0s))


def column(schedule: Schedule, name: str) -> Floats:
    """One of the twelve columns of a schedule, [K]."""
    values: Floats = schedule.columns["solver"][:, ROW.index(name)]
    return values
