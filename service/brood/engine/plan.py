"""Plain data between the scheduler and the execution thread."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from brood.engine.model import EngineModel, Group
from brood.engine.rows import Row
from brood.protocol.errors import BroodError


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """What an unfinished row looked like: enough to make a preview of it later."""

    row: Row
    step: int  # how many it had behind it
    state: Mapping[str, np.ndarray]  # what the preview reads


@dataclass(frozen=True, slots=True, eq=False)
class StepPlan:
    """A graph call to make: a step of ``rows``, or previews of ``shots``.

    Where nothing but another step of the same rows would follow, a plan is a *run* of several calls. It ends early as
    soon as anything happens: something comes or is given up, a row fails or is done.
    """

    model: EngineModel
    group: Group  # which graph, and which state it reads and writes
    bucket: int  # rows the graph runs at
    rows: Sequence[Row] = ()  # at most bucket, each with its own slot
    shots: Sequence[Shot] = ()  # at most bucket
    strict: bool = False  # only certified buckets, also if it must be made in parts
    soon: Sequence[Row] = ()  # likely to begin in the next call: their noise can be drawn meanwhile
    steps: int = 1  # calls, at most
    until: float = math.inf  # engine clock at which no further one is begun

    @property
    def size(self) -> int:
        """How many rows or shots it is for."""
        return len(self.rows) or len(self.shots)


@dataclass(frozen=True, slots=True)
class StepReport:
    """What came of it."""

    ended: float  # engine clock, seconds
    seconds: float  # from taking the plan to this report
    outputs: Mapping[Row, Mapping[str, np.ndarray]] = field(default_factory=dict)  # of rows that finished
    failures: Mapping[Row, BroodError] = field(default_factory=dict)  # of rows that cannot go on
    shots: Sequence[Shot] = ()  # of rows that are to be looked at
    shared: Mapping[Row, Mapping[str, np.ndarray]] = field(
        default_factory=dict
    )  # of rows that let others begin: states
    previews: Mapping[Shot, Mapping[str, np.ndarray]] = field(default_factory=dict)  # of the plan's shots
    steps: int = 1  # calls that were made
