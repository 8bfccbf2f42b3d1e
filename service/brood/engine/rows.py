"""Jobs and rows: what the scheduler moves.

A job is an admitted generation; it makes its rows one by one, as places become free. Where its first stages are the
same for all of its rows (its *head*), the first row alone goes through them, and the others begin behind them, with the
states that came of it. A row's life:

    READY ──plan──▶ IN_FLIGHT ──commit──▶ READY      more steps to go
                        │
                        ├──────────────▶ DONE        its last step is behind it
                        └──────────────▶ ENDED       its job failed, expired or was cancelled
    READY ─────────────────────────────▶ ENDED
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum, auto
from itertools import count
from typing import TYPE_CHECKING

import numpy as np

from brood.engine.cost import CostModel
from brood.engine.fair import Share
from brood.engine.model import Call, EngineModel
from brood.program import Program
from brood.program.compile import ProgramStage
from brood.protocol.errors import DeterminismUnavailable
from brood.protocol.requests import Generation
from brood.sampling.schedules import Schedule

if TYPE_CHECKING:
    from brood.engine.waiting import Waiting


class RowState(IntEnum):
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
_order = count()


@dataclass(frozen=True, slots=True)
class Leg:
    """A stage of a row's way: so many calls, some of them of another graph."""

    calls: int
    usual: Call
    varied: Call | None = None
    varies: Sequence[bool] = ()  # step → whether it is one of those

    def call(self, step: int) -> Call:
        """What a row needs in this step."""
        return self.varied if self.varied is not None and self.varies[step] else self.usual

    def run(self, step: int) -> int:
        """How many steps, from this one on, need the same call."""
        if self.varied is None:
            return self.calls - step
        other = not self.varies[step]
        return (self.varies.index(other, step) if other in self.varies[step:] else self.calls) - step

    def graphs(self) -> list[tuple[str, int]]:
        """How often it calls which graph."""
        if self.varied is None:
            return [(self.usual.group.graph, self.calls)]
        varied = sum(self.varies)
        return [(self.usual.group.graph, self.calls - varied), (self.varied.group.graph, varied)]


@dataclass(slots=True, eq=False)
class Job:
    """An admitted generation and how far it is."""

    generation: Generation
    model: EngineModel
    legs: tuple[Leg, ...]
    schedule: Schedule
    arrived: float  # engine clock, seconds
    strict: bool = False  # runs only at certified buckets
    order: int = field(default_factory=_order.__next__)  # of arrival
    share: Share = field(default_factory=Share)  # of its tenant's service
    urgent: bool = False  # its deadline is at risk
    door: Waiting | None = None  # where it waits for its rows to begin
    due: float = 0.0  # its tenant's service at which it would be finished with equal shares
    common: Mapping[str, np.ndarray] | None = None  # states that rows behind the head begin with; None: not made yet
    started: float | None = None  # when its first row began
    made: int = 0  # rows begun so far
    finished: int = 0  # rows done
    steps: int = 0  # graph calls made, summed over rows
    told: int = 0  # of those, at the last progress event
    spared: int = 0  # graph calls that will not be made because a row was done early, summed over rows
    ended: bool = False
    held_bytes: int = 0  # main memory that its inputs and samples take
    prepared: dict[int, Row] = field(default_factory=dict)  # position → row made ahead of its beginning
    head: int = field(init=False)  # first legs, of one call each, that only its first row takes
    row_steps: int = field(init=False)  # graph calls from the first to the last, if a row is not done early
    row_s: float = field(init=False)  # predicted device seconds of them, in full calls
    path_s: float = field(init=False)  # predicted seconds from a row's first call to its last, in full calls
    step_s: float = field(init=False)  # predicted device seconds of one row's step, on average

    def __post_init__(self) -> None:
        costs, head_s = self.model.costs, 0.0
        self.row_steps, self.head, self.row_s, self.path_s = 0, 0, 0.0, 0.0
        for leg in self.legs:
            self.row_steps += leg.calls
            for graph, calls in leg.graphs():
                self.row_s += costs.row_s(graph) * calls
                self.path_s += costs.call_s(graph) * calls
            if leg.usual.stage.shared:
                self.head += 1
                head_s += costs.row_s(leg.usual.group.graph)
        self.step_s = (self.row_s * self.generation.n - head_s * (self.generation.n - 1)) / self.all_steps

    @property
    def program(self) -> Program:
        """What its rows run."""
        return self.model.programs[self.generation.operation]

    @property
    def deadline(self) -> float:
        """Engine clock at which it must be finished; infinite if it need not be."""
        deadline = self.generation.deadline
        return math.inf if deadline is None else deadline

    @property
    def rows_waiting(self) -> int:
        """Rows that have not begun."""
        return 0 if self.ended else self.generation.n - self.made

    @property
    def rows_open(self) -> int:
        """Of those, the ones that could begin now: behind a head that has not been made there is nothing to do."""
        others = not self.head or self.common is not None
        return self.rows_waiting if others else int(not self.made and not self.ended)

    @property
    def entrance(self) -> Call:
        """What its next row begins with."""
        return self.legs[self.head if self.made else 0].call(0)

    @property
    def all_steps(self) -> int:
        """Graph calls that all its rows take together, as far as is known."""
        n = self.generation.n
        return self.row_steps * n - self.head * (n - 1) - self.spared

    @property
    def silent_steps(self) -> int:
        """Steps of all its rows until progress is to be told, if that was asked for."""
        n, every = self.generation.n, self.generation.progress_every or 1
        return -(-(every * n - self.steps % (every * n)) // n)

    @property
    def work_s(self) -> float:
        """Predicted device seconds of what is left."""
        return (self.all_steps - self.steps) * self.step_s

    @property
    def left_s(self) -> float:
        """Predicted seconds until it would be finished if it had the device to itself.

        Its rows are a wave at a time in full calls, and no row can take less than its own path.
        """
        rows = max(1, self.generation.n - self.finished)
        return self.work_s * max(1.0, self.path_s / (self.row_s * rows))

    @property
    def alone_s(self) -> float:
        """Predicted seconds of all of it on an idle device."""
        costs, total = self.model.costs, 0.0
        for place, leg in enumerate(self.legs):
            n = 1 if place < self.head else self.generation.n
            for graph, calls in leg.graphs():
                total += calls * _waves_s(costs, graph, n)
        return total

    def coming(self, offset: int) -> Row:
        """The row that begins after so many others, made ahead."""
        position = self.made + offset
        if position not in self.prepared:
            self.prepared[position] = Row(self, position)
        return self.prepared[position]


def _waves_s(costs: CostModel, graph: str, rows: int) -> float:
    """Predicted seconds of one call for so many rows, a full call in every lane at a time."""
    waves, rest = divmod(rows, costs.cap(graph) * costs.lanes)
    last_s = costs.seconds(graph, costs.smallest_bucket(graph, -(-rest // costs.lanes))) if rest else 0.0
    return waves * costs.call_s(graph) + last_s


def make_job(generation: Generation, model: EngineModel, arrived: float) -> Job:
    """A job for a checked generation of a model that is here.

    Raises:
        InvalidArgument: there is no schedule for its parameters.
        DeterminismUnavailable: it wants exact samples, and some graph it needs gives certified bits at no bucket.
    """
    program = model.programs[generation.operation]
    schedule = program.schedule(generation.params)
    legs = tuple(_leg(model, stage, schedule) for stage in program.stages)
    if generation.exact:
        _check_certified(legs, model)
    held = _held_bytes(generation, program)
    return Job(generation, model, legs, schedule, arrived, strict=generation.exact, held_bytes=held)


def _check_certified(legs: Sequence[Leg], model: EngineModel) -> None:
    lacking = next((name for leg in legs for name, calls in leg.graphs() if calls and not model.certified(name)), None)
    if lacking is not None:
        raise DeterminismUnavailable(
            f'determinism: "exact" cannot be promised, graph {lacking!r} is certified at no batch size; allowed: "any"',
            field="determinism",
        )


def _leg(model: EngineModel, stage: ProgramStage, schedule: Schedule) -> Leg:
    calls, usual = (schedule.steps if stage.per_step else 1), model.call_of(stage)
    if stage.variant is None:
        return Leg(calls, usual)
    varies = [stage.at(schedule, step) is not stage for step in range(calls)]
    other = model.call_of(stage.variant.stage)
    return Leg(calls, other) if all(varies) else Leg(calls, usual, other, varies)


def _held_bytes(generation: Generation, program: Program) -> int:
    held = generation.n * program.output_bytes
    if generation.n > 1:
        held += program.shared_bytes
    for array in generation.inputs.values():
        held += array.nbytes
    return held


@dataclass(slots=True, eq=False)
class Row:
    """One sample in the making."""

    job: Job
    position: int  # 0 … n−1 within its request
    slot: int = -1  # where the runtime keeps its state; negative: it has none yet
    stage: int = 0
    step: int = 0  # within the stage
    steps: int = 0  # in all
    spared: int = 0  # calls that it did not need, in all
    done: bool = False  # the step just made was the last one of its stage, whatever is planned
    state: RowState = RowState.READY
    order: int = 0  # of its beginning
    leg: Leg = field(init=False)  # the stage that it is in
    call: Call = field(init=False)  # what it needs in the coming step
    values: dict[str, np.ndarray] = field(default_factory=dict)  # outputs for the caller, as they are made
    noise: dict[tuple[int, str], NoiseBuffer] = field(default_factory=dict)  # (stage, graph input) → drawn ahead
    begins: dict[str, np.ndarray] = field(default_factory=dict)  # state → its first value, if made ahead
    stocked: tuple[int, int] = (0, 0)  # from this step of its stage to before that one, nothing is to be drawn

    def __post_init__(self) -> None:
        self.stage = self.steps = self.behind
        self.leg = self.job.legs[self.stage]
        self.call = self.leg.call(0)

    @property
    def behind(self) -> int:
        """Steps that are behind it when it begins, as another row has taken them."""
        return self.job.head if self.position else 0

    @property
    def index(self) -> int:
        """The sample's index."""
        return self.job.generation.index + self.position

    @property
    def fresh(self) -> bool:
        """Whether it has not run yet, so that its state must be written first."""
        return self.steps == self.behind

    @property
    def opens(self) -> bool:
        """Whether others may begin behind the coming step."""
        return not self.position and self.steps + 1 == self.job.head and self.job.generation.n > 1

    @property
    def leaves_stage(self) -> bool:
        """Whether the coming step is its last one in this stage."""
        return self.done or self.step + 1 == self.leg.calls

    @property
    def finishes(self) -> bool:
        """Whether the coming step is its last one."""
        return self.leaves_stage and self.stage + 1 == len(self.job.legs)

    @property
    def spares(self) -> int:
        """Calls of its stage that are left and will not be made."""
        return self.leg.calls - self.step - 1 if self.done else 0

    @property
    def previews(self) -> bool:
        """Whether it is to be looked at after the coming step."""
        every = self.job.generation.preview_every
        return every is not None and (self.steps + 1) % every == 0 and not self.finishes

    @property
    def run(self) -> int:
        """How many steps it makes by the same call until something is to be told or decided of it."""
        generation, steps = self.job.generation, self.leg.run(self.step)
        if generation.preview_every is not None:
            steps = min(steps, generation.preview_every - self.steps % generation.preview_every)
        return steps if generation.progress_every is None else min(steps, self.job.silent_steps)

    def begin(self, slot: int) -> None:
        """It has a place now."""
        self.slot, self.order = slot, next(_order)

    def move(self, to: RowState) -> None:
        """Change state, along the table only."""
        if to not in MOVES[self.state]:
            raise RuntimeError(f"row {self.index} cannot go from {self.state.name} to {to.name}")
        self.state = to

    def pass_by(self, steps: int) -> None:
        """Count steps of a run, none of which was its last."""
        self.step += steps
        self.steps += steps

    def advance(self) -> None:
        """Count the step just run."""
        self.steps += 1
        if self.begins:
            self.begins.clear()  # what was in there is in the slot
        if self.leaves_stage:
            self.spared += self.spares
            self.stage, self.step, self.done, self.stocked = self.stage + 1, 0, False, (0, 0)
            self.leg = self.job.legs[self.stage]
        else:
            self.step += 1
        self.call = self.leg.call(self.step)


@dataclass(slots=True)
class NoiseBuffer:
    """Numbers of one noise input of one row, drawn for some steps ahead."""

    first_step: int
    end: int  # the first step behind them
    numbers: np.ndarray  # [steps, count] float32

    def span(self, step: int, steps: int) -> np.ndarray:
        """The numbers of so many steps from this one on, [steps, count]."""
        numbers: np.ndarray = self.numbers[step - self.first_step : step - self.first_step + steps]
        return numbers
