"""Schedules: pure functions from parameters to per-step numbers.

A schedule has K steps and named columns of K entries; entry k of a column is what a graph input of role ``schedule``
with that name gets in step k. Made on the host in float64 and cast once, by the graph input's dtype.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from brood.protocol.manifest import Scalar
from brood.protocol.manifest import Schedule as ScheduleWords
from brood.sampling.diffusion import DIFFUSION_PARAMS, diffusion
from brood.sampling.flow import FLOW_PARAMS, flow
from brood.sampling.langevin import LANGEVIN_PARAMS, langevin
from brood.sampling.solver import SOLVER_COLUMNS
from brood.sampling.terms import Given, Schedule

__all__ = ["CACHED", "COLUMNS", "KINDS", "ONCE", "Kind", "Schedule", "make_schedule"]

LEAST_TEMPERATURE = 1e-6
CACHED = 128
"""Schedules that are kept: of a thousand steps each, a solver's tables take 13 MiB in all."""


def raster(given: Given) -> Schedule:
    """Pixel by pixel in reading order (van den Oord et al. 2016, Pixel Recurrent Neural Networks).

    Numbers: ``count``, the number of pixels. Column ``position`` [K] int64 is 0 … count−1.
    """
    count = int(given.number("count", least=1))
    return Schedule(count, {"position": np.arange(count, dtype=np.int64)})


def annealing(given: Given) -> Schedule:
    """Geometric cooling, then constant (Kirkpatrick, Gelatt and Vecchi 1983, Optimization by Simulated Annealing).

    T_k = start · (end/start)^(k/(M−1)) for the first M = max(1, round((1−hold)·K)) steps, ``end`` afterwards.
    Numbers: ``start``, and ``hold`` in [0, 1), the share of steps at the end temperature. Parameters:
    ``steps`` = K, ``temperature`` = end. Column ``temperature`` [K] float64.
    """
    steps, end = given.steps(), given.number("temperature", least=LEAST_TEMPERATURE)
    start = max(given.number("start", least=LEAST_TEMPERATURE), end)
    cooling = max(1, round((1.0 - given.number("hold", least=0, most=1)) * steps))
    falling = start * (end / start) ** (np.arange(cooling) / max(1, cooling - 1))
    return Schedule(steps, {"temperature": np.concatenate([falling, np.full(steps - cooling, end)])})


@dataclass(frozen=True, slots=True)
class Kind:
    """A family of schedules."""

    make: Callable[[Given], Schedule]
    columns: tuple[str, ...]
    params: tuple[str, ...]  # of the request, as far as they make a difference

    def __call__(
        self, params: Mapping[str, Scalar], numbers: Mapping[str, float], words: Mapping[str, str]
    ) -> Schedule:
        """The schedule of these parameters under what the manifest fixes.

        Raises:
            InvalidArgument, BundleError: a value is missing or not allowed, of the request or of the manifest.
        """
        return self.make(Given(params, numbers, words))


KINDS: dict[str, Kind] = {
    "raster": Kind(raster, ("position",), ()),
    "annealing": Kind(annealing, ("temperature",), ("steps", "temperature")),
    "diffusion": Kind(diffusion, SOLVER_COLUMNS, DIFFUSION_PARAMS),
    "flow": Kind(flow, SOLVER_COLUMNS, FLOW_PARAMS),
    "langevin": Kind(langevin, SOLVER_COLUMNS, LANGEVIN_PARAMS),
}
COLUMNS: dict[str, tuple[str, ...]] = {name: kind.columns for name, kind in KINDS.items()}
ONCE = Schedule(1, {})


def make_schedule(words: ScheduleWords | None, params: Mapping[str, Scalar]) -> Schedule:
    """The schedule of one row; a program without one has a single step.

    Rows of equal parameters share one schedule, whose arrays cannot be written to.

    Raises:
        InvalidArgument, BundleError: as `Kind`.
    """
    if words is None:
        return ONCE
    read = tuple((name, params[name]) for name in KINDS[words.kind].params if name in params)
    return _made(words.kind, tuple(words.numbers.items()), tuple(words.words.items()), read)


@lru_cache(CACHED)
def _made(
    kind: str,
    numbers: tuple[tuple[str, float], ...],
    words: tuple[tuple[str, str], ...],
    params: tuple[tuple[str, Scalar], ...],
) -> Schedule:
    made = KINDS[kind](dict(params), dict(numbers), dict(words))
    for column in made.columns.values():
        column.flags.writeable = False
    return made
