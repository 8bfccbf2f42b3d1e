"""What is simulated: devices, what calls cost on them, and how they are used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from brood.engine.cost import CostModel
from brood.engine.model import Call, EngineModel
from brood.engine.rows import Leg
from brood.program.compile import ProgramStage
from brood.protocol.errors import RuntimeFailed, invalid
from brood.runtimes.base import Arrays
from brood.runtimes.slots import Pairs
from brood.simulation.curves import Curves
from brood.simulation.kinds import Kind

NAME = "simulated"
DRAWN = 4096  # numbers at once


@dataclass(frozen=True, slots=True)
class Setting:
    """Everything but the requests."""

    curves: Curves
    graphs: str = ""  # called by kinds that name none, as in `Kind`; "": the only one there is, in every step
    replicas: int = 1  # devices; a request goes to the one with the least predicted work
    noise: float = 0.0  # σ of the logarithm of a call's seconds; their mean is the curve
    max_backlog_s: float = 60.0  # predicted seconds of work that may wait for one device
    max_wait_s: float = 0.0  # for so long the scheduler holds back a call that would not be full
    seed: int = 0  # of the noise

    def calls(self, kind: Kind) -> list[tuple[str, int]]:
        """Which graphs a row of this kind calls, and how often.

        Raises:
            InvalidArgument: there is no such graph, or several and none is named.
        """
        path = kind.graphs or self.graphs or (f"{next(iter(self.curves))}*" if len(self.curves) == 1 else "")
        names = [(part.removesuffix("*"), kind.steps if part.endswith("*") else 1) for part in path.split(",")]
        if any(name not in self.curves for name, _ in names):
            raise invalid("graphs", path, f"{', '.join(self.curves)}, separated by commas, * after those of every step")
        return names

    def ideal_rate(self, shares: Mapping[Kind, float]) -> float:
        """Requests a second that full calls would serve: no policy can serve more.

        Args:
            shares: kind → its part of all requests.

        Raises:
            InvalidArgument: as `calls` does.
        """
        costs, work_s = CostModel(self.curves), 0.0
        for kind, share in shares.items():
            work_s += share * kind.n * sum(count * costs.row_s(graph) for graph, count in self.calls(kind))
        return self.replicas / work_s


FULL_CALLS = 8  # of slots, as loaded models have


class NoGraphs:
    """A `SlotRuntime` that has places, and nothing to run: a simulated device is a clock."""

    state_bytes = 0

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity

    def write(self, slot: int, name: str, value: np.ndarray) -> None:
        raise _nothing(name)

    def read(self, slot: int, name: str) -> np.ndarray:
        raise _nothing(name)

    def run(
        self, graph: str, slots: Sequence[int], bucket: int, host: Arrays, reads: Pairs, writes: Pairs
    ) -> dict[str, np.ndarray]:
        raise _nothing(graph)


def _nothing(name: str) -> RuntimeFailed:
    return RuntimeFailed(f"{name}: a simulated model has no graphs and no state")


def simulated_model(curves: Curves) -> EngineModel:
    """A model that is nothing but its costs; it learns from calls by itself."""
    slots = max(FULL_CALLS, len(curves) + 1) * max(bucket for costs in curves.values() for bucket in costs)
    return EngineModel(NAME, 1, {}, NoGraphs(slots), CostModel(curves))


def legs(model: EngineModel, calls: Sequence[tuple[str, int]]) -> tuple[Leg, ...]:
    """The way of a row that makes these calls one after another."""
    stages = [(ProgramStage(graph, count > 1, (), (), (), None), count) for graph, count in calls]
    return tuple(Leg(count, Call(model.group_of(stage), stage)) for stage, count in stages)


class Device:
    """How long calls really take."""

    def __init__(self, curves: Curves, noise: float, seed: int) -> None:
        self._curves, self._noise, self._rng = curves, noise, np.random.default_rng(seed)
        self._factors: list[float] = []

    def seconds(self, graph: str, bucket: int) -> float:
        """Of the next call."""
        seconds = self._curves[graph][bucket]
        return seconds * self._factor() if self._noise else seconds

    def _factor(self) -> float:
        if not self._factors:
            self._factors = self._rng.lognormal(-0.5 * self._noise**2, self._noise, DRAWN).tolist()
        return self._factors.pop()
