"""Requests whose rate changes with time."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from brood.loadgen.arrivals import poisson_within
from brood.simulation.kinds import Kind
from brood.simulation.traces import Arrival

Points = Sequence[tuple[float, float]]  # (seconds, requests a second), ascending; straight lines between them


def ramp(points: Points, kind: Kind, seed: int) -> list[Arrival]:
    """Independent arrivals at a rate that goes along a line.

    Args:
        points: corners of the line; before the first and after the last nothing comes.
        kind: of all requests.
        seed: of the process.
    """
    rng = np.random.default_rng(seed)
    parts = [begin + poisson_within(low, high, end - begin, rng) for (begin, low), (end, high) in pairwise(points)]
    return [Arrival(at, kind) for at in np.concatenate(parts).tolist()]
