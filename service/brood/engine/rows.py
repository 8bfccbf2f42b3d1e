"""Rows and jobs: what the scheduler moves.

A job is an admitted generation; it makes its rows one by one, as places become free. A row's life:

    READY ──plan──▶ IN_FLIGHT ──commit──▶ READY      more steps to go
                        │
                        ├──────────────▶ DONE        its last step is behind it
                        └──────────────▶ ENDED       its job failed, expired or was cancelled
    READY ─────────────────────────────▶ ENDED
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto

import numpy as np

from brood.engine.model import EngineModel, Group
from brood.program import Program
from brood.program.compile import ProgramStage
from brood.protocol.requests import Generation
from brood.sampling.schedules import Schedule


class RowState(Enum):
    """Where a row is in its life."""

    READY = auto()
    IN_FLIGHT = auto()
    DONE = auto()
    ENDED = auto()


MOVES: dict[RowState, frozenset[RowState]] = {
    RowState.READY: frozenset({RowState.IN_FLIGHT, RowState.ENDED}),
    RowState.IN_FLIGHT: frozenset({RowState.READY, RowState.DONE, RowState.ENDED}),
    RowState.DONE: frozenset(),
    RowState.ENDED: frozenset(),
}


@dataclass(slots=True, eq=False)
class Job:
    """An admitted generation and how far it is."""

    generation: Generation
    model: EngineModel
    program: Program
    schedule: Schedule
    groups: tuple[Group, ...]  # of each stage
    arrived: float  # engine clock, seconds
    remaining_s: float  # predicted device seconds of what is not made yet
    tag: float = 0.0  # virtual start time, in predicted seconds of service
    started: float | None = None  # when its first row began
    made: int = 0  # rows given a place so far
    finished: int = 0  # rows done
    steps: int = 0  # graph calls summed over rows
    ended: bool = False

    @property
    def rows_waiting(self) -> int:
        """Rows that have no place yet."""
        return 0 if self.ended else self.generation.n - self.made

    def calls(self, stage: ProgramStage) -> int:
        """How often one row enters this stage."""
        return self.schedule.steps if stage.per_step else 1


def make_job(generation: Generation, model: EngineModel, arrived: float) -> Job:
    """A job for a checked generation of a model that is here."""
    program = model.programs[generation.operation]
    schedule = program.schedule(generation.params)
    seconds = sum(model.row_cost_s(stage.graph) * (schedule.steps if stage.per_step else 1) for stage in program.stages)
    groups = tuple(model.group_of(stage) for stage in program.stages)
    return Job(generation, model, program, schedule, groups, arrived, seconds * generation.n)


@dataclass(slots=True, eq=False)
class Row:
    """One sample in the making."""

    job: Job
    position: int  # 0 … n−1 within its request
    slot: int  # where the runtime keeps its state
    stage: int = 0
    step: int = 0  # within the stage
    state: RowState = RowState.READY
    values: dict[str, np.ndarray] = field(default_factory=dict)  # outputs for the caller, as they are made
    noise: dict[str, NoiseBuffer] = field(default_factory=dict)  # graph input → numbers drawn ahead

    @property
    def index(self) -> int:
        """The sample's index."""
        return self.job.generation.index + self.position

    @property
    def fresh(self) -> bool:
        """Whether it has not run yet, so that its state must be written first."""
        return self.stage == 0 and self.step == 0

    @property
    def leaves_stage(self) -> bool:
        """Whether the coming step is its last one in this stage."""
        return self.step + 1 == self.job.calls(self.job.program.stages[self.stage])

    @property
    def finishes(self) -> bool:
        """Whether the coming step is its last one."""
        return self.leaves_stage and self.stage + 1 == len(self.job.program.stages)

    @property
    def group(self) -> Group:
        """Whom it may share a graph call with."""
        return self.job.groups[self.stage]

    def move(self, to: RowState) -> None:
        """Change state, along the table only."""
        if to not in MOVES[self.state]:
            raise RuntimeError(f"row {self.index} cannot go from {self.state.name} to {to.name}")
        self.state = to

    def advance(self) -> None:
        """Count the step just run."""
        if self.leaves_stage:
            self.stage, self.step = self.stage + 1, 0
            self.noise.clear()
        else:
            self.step += 1


@dataclass(slots=True)
class NoiseBuffer:
    """Numbers of one noise input of one row, drawn for some steps ahead."""

    first_step: int
    numbers: np.ndarray  # [steps, count] float32

    def has(self, step: int) -> bool:
        """Whether this step's numbers are here."""
        return self.first_step <= step < self.first_step + len(self.numbers)

    def at(self, step: int) -> np.ndarray:
        """This step's numbers, [count]."""
        numbers: np.ndarray = self.numbers[step - self.first_step]
        return numbers
