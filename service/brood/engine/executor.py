"""Carries out a plan on the device: writes fresh rows' state, gathers inputs, calls the graph, reads results.

Runs on the execution thread. A call that fails is repeated with halves of its rows, so that only the rows that cannot
run fail; a failed call has changed no state (see `SlotRuntime.run`). While the device computes, another thread draws
the noise of the coming steps.

Between two calls of a run nothing is planned and nothing committed: there is the next call's part of inputs that were
made for several of them. For 1, 2, 4 … steps at once: so the first step waits for no other step's numbers, and little
is made in vain if the run ends early. For some at once to begin with, if nothing has to be drawn for them.
"""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from brood.engine.ahead import Ahead
from brood.engine.inputs import HostInputs, Inputs, initial_state, lacking, padded
from brood.engine.model import EngineModel
from brood.engine.plan import Shot, StepPlan, StepReport
from brood.engine.rows import Row
from brood.program import Constant, FromParam, FromState
from brood.program.compile import Feed, ProgramStage
from brood.protocol.errors import BroodError, Internal, RowFailed, RuntimeFailed

log = logging.getLogger(__name__)

Values = dict[str, np.ndarray]  # of one row

LONG_S = 0.0003  # graph calls that take so long leave another thread time to draw noise
BLOCK_BYTES = 2**20  # that inputs made for several calls take at most
FIRST_CALLS, FIRST_BYTES = 8, 2**16  # for which inputs are made at first, and what they take, if all is drawn


class Executor:
    """Executes plans one after another.

    Args:
        clock: in seconds.
        ahead: where noise is drawn ahead; None: nowhere, each call draws its own.
        on_call: called when all is there for a graph call, before it is made: what it begins goes on beside the call.
        interrupted: whether there is something else to do than the next call of a run.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        ahead: Ahead | None = None,
        on_call: Callable[[], None] = lambda: None,
        interrupted: Callable[[], bool] = lambda: False,
    ) -> None:
        self._clock = clock
        self._interrupted = interrupted
        self._ahead = ahead
        self._on_call = on_call

    def execute(self, plan: StepPlan) -> StepReport:
        """Run one plan; never raises for what a graph does."""
        began = self._clock()
        if plan.shots:
            self._on_call()
            previews = _previews(plan)
            ended = self._clock()
            return StepReport(ended, ended - began, previews=previews)
        failures: dict[Row, BroodError] = {}
        made = self._run(plan, plan.rows, plan.steps, failures)
        outputs, shots, shared = dict[Row, Values](), list[Shot](), dict[Row, Values]()
        for row in plan.rows:
            if row in failures:
                continue
            if row.finishes:
                outputs[row] = _finished(row, plan)
            if row.previews and row.job.program.preview is not None:
                shots.append(_shot(row, plan))
            if row.opens:
                shared[row] = _shared(row, plan)
        ended = self._clock()
        return StepReport(ended, ended - began, outputs, failures, shots, shared=shared, steps=made)

    def _finish_drawing(self) -> None:
        """What is being drawn is needed now."""
        if self._ahead is not None:
            self._ahead.finish()

    def _run(self, plan: StepPlan, rows: Sequence[Row], steps: int, failures: dict[Row, BroodError]) -> int:
        """Call the graph for these rows, or for halves of them if the first call fails.

        Returns:
            How often it was called for each: at most ``steps`` times.
        """
        group, model, made = plan.group, plan.model, 0
        bucket = plan.bucket if len(rows) == len(plan.rows) else _part(plan, len(rows))
        results = dict[str, np.ndarray]()
        try:
            self._finish_drawing()
            _write_fresh(model, [row for row in rows if row.fresh])
            slots = [row.slot for row in rows]
            for inputs in self._inputs(plan, rows, bucket, steps):
                self._on_call()
                results = model.runtime.run(group.graph, slots, bucket, inputs, group.reads, group.writes)
                made += 1
                if made == steps or not self._goes_on(plan, results):
                    break
        except Exception as error:
            failure = error  # that of a later call than the first is met again when it is planned anew
        if made:
            _keep(rows, made, results, failures)
            return made
        self._finish_drawing()
        if len(rows) == 1:
            failures[rows[0]] = _blame(rows[0], failure)
            return 1
        middle = len(rows) // 2
        self._run(plan, rows[:middle], 1, failures)
        self._run(plan, rows[middle:], 1, failures)
        return 1

    def _inputs(self, plan: StepPlan, rows: Sequence[Row], bucket: int, steps: int) -> Iterator[Inputs]:
        """What one call after another is given."""
        call_s = plan.model.costs.seconds(plan.group.graph, bucket)
        call_bytes = bucket * rows[0].call.step_bytes
        most = max(1, BLOCK_BYTES // call_bytes)
        stocked = min(row.stocked[1] - row.step for row in rows)
        block = max(1, min(stocked, FIRST_CALLS, FIRST_BYTES // call_bytes, steps))
        at, soon, host = 0, plan.soon, HostInputs(rows, bucket)
        while at < steps:
            inputs = host.of(at, block)
            at, made = at + block, block
            block = max(1, min(2 * block, most, steps - at))
            if made * call_s >= LONG_S:
                self._draw_ahead([*((row, at, block) for row in rows), *((row, 0, 1) for row in soon)])
                soon = ()
            yield from inputs
            self._finish_drawing()

    def _goes_on(self, plan: StepPlan, results: Mapping[str, np.ndarray]) -> bool:
        """Whether nothing has happened that the next call of a run could not wait for."""
        if self._interrupted() or self._clock() >= plan.until:
            return False
        stage = plan.rows[0].call.stage
        return (stage.ok is None or bool(results[stage.ok].all())) and (
            stage.done is None or not results[stage.done].any()
        )

    def _draw_ahead(self, coming: Iterable[tuple[Row, int, int]]) -> None:
        """Begin to draw what rows will need: in so many steps, after so many others."""
        if self._ahead is not None:
            lacks = [lack for row, ahead, steps in coming for lack in lacking(row, ahead, steps)]
            if lacks:
                self._ahead.begin(lacks)


def _part(plan: StepPlan, rows: int) -> int:
    """The bucket for a part of a plan's rows."""
    graph = plan.group.graph
    return plan.model.costs.smallest_bucket(graph, rows, plan.model.certified(graph) if plan.strict else None)


def _write_fresh(model: EngineModel, rows: Sequence[Row]) -> None:
    """Give rows that have not run yet their initial state, all rows of an operation together."""
    operations: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row.job.program.operation.state:
            operations[row.job.program.name].append(row)
    for together in operations.values():
        for name, values in initial_state(together, together[0].job.program).items():
            for row, value in zip(together, values, strict=True):
                model.runtime.write(row.slot, name, value)


def _blame(row: Row, error: Exception) -> BroodError:
    """The error of the one row that cannot run. What the runtime said is for the log, not for the caller."""
    request_id = row.job.generation.caller_id  # told apart, too: this is the device's thread, which works for many
    log.error("request %s, sample %d", request_id, row.index, exc_info=error, extra={"request_id": request_id})
    if isinstance(error, RuntimeFailed):
        return RuntimeFailed(f"sample {row.index}: the graph call failed", index=row.index)
    return Internal(f"sample {row.index}: internal error", index=row.index)


def _keep(rows: Sequence[Row], made: int, results: Mapping[str, np.ndarray], failures: dict[Row, BroodError]) -> None:
    """Count all calls but the last; of that one note which rows are finite, and what their callers will get."""
    for place, row in enumerate(rows):
        if made > 1:
            row.pass_by(made - 1)
        stage = row.call.stage
        if stage.ok is not None and not results[stage.ok][place]:
            failures[row] = RowFailed(f"sample {row.index} came out non-finite", index=row.index)
            continue
        row.done = stage.done is not None and bool(results[stage.done][place])
        if stage.to_caller and row.leaves_stage:
            row.values.update({value: np.array(results[name][place]) for name, value in stage.to_caller})


def _finished(row: Row, plan: StepPlan) -> Values:
    return {
        name: plan.model.runtime.read(row.slot, value) if is_state else row.values[value]
        for name, value, is_state in row.job.program.outputs
    }


def _shared(row: Row, plan: StepPlan) -> Values:
    """What the other rows of its request begin with."""
    return {name: plan.model.runtime.read(row.slot, name) for name in row.job.program.shared}


def _shot(row: Row, plan: StepPlan) -> Shot:
    """The states that the row's preview reads, as they are now."""
    names = {feed.source.name for feed in _preview(row).feeds if isinstance(feed.source, FromState)}
    return Shot(row, row.steps + 1, {name: plan.model.runtime.read(row.slot, name) for name in names})


def _preview(row: Row) -> ProgramStage:
    found = row.job.program.preview
    if found is None:
        raise RuntimeError(f"operation {row.job.generation.operation!r} has no preview")
    return found


def _previews(plan: StepPlan) -> dict[Shot, dict[str, np.ndarray]]:
    """Outputs of each shot; if the call fails there are none, and nobody is harmed."""
    stages = [_preview(shot.row) for shot in plan.shots]
    try:
        inputs = {
            feed.name: padded(
                [_seen(shot, stage.feeds[position]) for shot, stage in zip(plan.shots, stages, strict=True)],
                feed,
                plan.bucket,
            )
            for position, feed in enumerate(stages[0].feeds)
        }
        places = range(len(plan.shots))
        results = plan.model.runtime.run(plan.group.graph, places, plan.bucket, inputs, (), ())
    except Exception as error:
        log.error("preview by graph %s of %s", plan.group.graph, plan.model.name, exc_info=error)
        return {}
    return {
        shot: {value: np.array(results[name][place]) for name, value in stage.to_caller}
        for place, (shot, stage) in enumerate(zip(plan.shots, stages, strict=True))
    }


def _seen(shot: Shot, feed: Feed) -> ArrayLike:
    match feed.source:
        case FromState(name):
            return shot.state[name]
        case FromParam(name):
            return shot.row.job.generation.params[name]
        case Constant(number):
            return number
        case source:
            raise RuntimeError(f"{feed.name}: {source} cannot be an input of a preview")
