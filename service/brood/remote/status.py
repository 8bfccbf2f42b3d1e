"""What a worker says of itself: its models, what they cost there, and how much it has to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from brood.protocol.models import ModelStatus

ModelKey = tuple[str, int]  # name, version


@dataclass(frozen=True, slots=True)
class OperationCost:
    """What one row of an operation takes on one worker, roughly, in full batches."""

    once_s: float  # device seconds of the graph calls that every row makes once
    step_s: float = 0.0  # device seconds of each step of the schedule
    batch: int = 1  # rows of a full graph call: smaller chunks waste a part of it

    def row_s(self, steps: int) -> float:
        """Predicted device seconds of a row that takes so many steps of its schedule."""
        return self.once_s + steps * self.step_s


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """One worker, as it tells all ingresses; sent when it has changed, at most ten times a second."""

    worker_id: str
    models: tuple[ModelStatus, ...]  # all that it knows of, in whatever state
    costs: Mapping[ModelKey, Mapping[str, OperationCost]] = field(default_factory=dict)  # model → operation → cost
    interactive_s: float = 0.0  # predicted device seconds of all that is accepted and not yet made, interactive
    bulk_s: float = 0.0  # the same of bulk work
    max_backlog_s: float = 60.0  # so much may wait there
    occupancy: float = 0.0  # of what the device could make in full calls, how much it made lately: 0 … 1
    draining: bool = False  # takes nothing new; what runs goes on to its end

    @property
    def backlog_s(self) -> float:
        """Predicted device seconds of all that is accepted and not yet made."""
        return self.interactive_s + self.bulk_s
