"""Plain data between the scheduler and the execution thread."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from brood.engine.model import EngineModel, Group
from brood.engine.rows import Row
from brood.protocol.errors import BroodError


@dataclass(frozen=True, slots=True)
class StepPlan:
    """One graph call to make."""

    model: EngineModel
    group: Group  # which graph, and which state it reads and writes
    bucket: int  # rows the graph runs at
    rows: tuple[Row, ...]  # at most bucket, each with its own slot


@dataclass(frozen=True, slots=True)
class StepReport:
    """What came of it."""

    ended: float  # engine clock, seconds
    seconds: float  # from taking the plan to this report
    outputs: Mapping[Row, Mapping[str, np.ndarray]] = field(default_factory=dict)  # of rows that finished
    failures: Mapping[Row, BroodError] = field(default_factory=dict)  # of rows that cannot go on
