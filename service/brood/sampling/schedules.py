"""Schedules: pure functions from parameters to per-step numbers.

A schedule has K steps and named columns of K entries; entry k of a column is what a graph input of role ``schedule``
with that name gets in step k. Made on the host in float64 and cast once, by the graph input's dtype.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from brood.protocol.manifest import Scalar
from brood.protocol.manifest import Schedule as ScheduleWords

Numbers = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Schedule:
    """Per-step numbers of one row."""

    steps: int  # K ≥ 1
    columns: Mapping[str, np.ndarray]  # name → [K]


def raster(params: Mapping[str, Scalar], numbers: Numbers) -> Schedule:
    """Pixel by pixel in reading order (van den Oord et al. 2016, Pixel Recurrent Neural Networks).

    ``numbers``: ``count``, the number of pixels. Column ``position`` [K] int64 is 0 … count−1.
    """
    count = int(numbers["count"])
    return Schedule(count, {"position": np.arange(count, dtype=np.int64)})


def annealing(params: Mapping[str, Scalar], numbers: Numbers) -> Schedule:
    """Geometric cooling, then constant (Kirkpatrick, Gelatt and Vecchi 1983, Optimization by Simulated Annealing).

    T_k = start · (end/start)^(k/(M−1)) for the first M = max(1, round((1−hold)·K)) steps, ``end`` afterwards.
    ``numbers``: ``start``, and ``hold`` in [0, 1), the share of steps at the end temperature. Parameters:
    ``steps`` = K, ``temperature`` = end. Column ``temperature`` [K] float64.
    """
    steps, end = int(params["steps"]), float(params["temperature"])
    start = max(numbers["start"], end)
    cooling = max(1, round((1.0 - numbers["hold"]) * steps))
    falling = start * (end / start) ** (np.arange(cooling) / max(1, cooling - 1))
    return Schedule(steps, {"temperature": np.concatenate([falling, np.full(steps - cooling, end)])})


KINDS: dict[str, Callable[[Mapping[str, Scalar], Numbers], Schedule]] = {"raster": raster, "annealing": annealing}
COLUMNS: dict[str, tuple[str, ...]] = {"raster": ("position",), "annealing": ("temperature",)}
ONCE = Schedule(1, {})


def make_schedule(words: ScheduleWords | None, params: Mapping[str, Scalar]) -> Schedule:
    """The schedule of one row; a program without one has a single step."""
    return ONCE if words is None else KINDS[words.kind](params, words.numbers)
