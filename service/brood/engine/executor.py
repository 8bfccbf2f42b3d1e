"""Carries out a plan on the device: writes fresh rows' state, gathers inputs, calls the graph, reads results.

Runs on the execution thread. A call that fails is repeated with halves of its rows, so that only the rows that cannot
run fail; a failed call has changed no state (see `SlotRuntime.run`).
"""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from brood.engine.inputs import host_inputs, initial_state
from brood.engine.model import EngineModel
from brood.engine.plan import StepPlan, StepReport
from brood.engine.rows import Row
from brood.protocol.errors import BroodError, Internal, RowFailed, RuntimeFailed

log = logging.getLogger(__name__)


class Executor:
    """Executes plans one after another."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock

    def execute(self, plan: StepPlan) -> StepReport:
        """Run one plan; never raises for what a graph does."""
        began = self._clock()
        failures: dict[Row, BroodError] = {}
        _run(plan, plan.rows, failures)
        outputs = {row: _finished(row, plan) for row in plan.rows if row.finishes and row not in failures}
        ended = self._clock()
        return StepReport(ended, ended - began, outputs, failures)


def _run(plan: StepPlan, rows: Sequence[Row], failures: dict[Row, BroodError]) -> None:
    """Call the graph for these rows, or for halves of them if that fails."""
    group, model = plan.group, plan.model
    bucket = plan.bucket if len(rows) == len(plan.rows) else model.smallest_bucket(group.graph, len(rows))
    try:
        _write_fresh(model, [row for row in rows if row.fresh])
        inputs = host_inputs(rows, bucket)
        slots = [row.slot for row in rows]
        results = model.runtime.run(group.graph, slots, bucket, inputs, group.reads, group.writes)
    except Exception as error:
        if len(rows) == 1:
            failures[rows[0]] = _blame(rows[0], error)
            return
        middle = len(rows) // 2
        _run(plan, rows[:middle], failures)
        _run(plan, rows[middle:], failures)
        return
    _keep(rows, results, failures)


def _write_fresh(model: EngineModel, rows: Sequence[Row]) -> None:
    """Give rows that have not run yet their initial state, all rows of an operation together."""
    operations: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        operations[row.job.program.name].append(row)
    for together in operations.values():
        for name, values in initial_state(together, together[0].job.program).items():
            for row, value in zip(together, values, strict=True):
                model.runtime.write(row.slot, name, value)


def _blame(row: Row, error: Exception) -> BroodError:
    """The error of the one row that cannot run. What the runtime said is for the log, not for the caller."""
    log.error("request %s, sample %d", row.job.generation.request_id, row.index, exc_info=error)
    if isinstance(error, RuntimeFailed):
        return RuntimeFailed(f"sample {row.index}: the graph call failed", index=row.index)
    return Internal(f"sample {row.index}: internal error", index=row.index)


def _keep(rows: Sequence[Row], results: Mapping[str, np.ndarray], failures: dict[Row, BroodError]) -> None:
    """Note which rows are finite, and what their callers will get."""
    for place, row in enumerate(rows):
        stage = row.job.program.stages[row.stage]
        if stage.ok is not None and not results[stage.ok][place]:
            failures[row] = RowFailed(f"sample {row.index} came out non-finite", index=row.index)
        elif row.leaves_stage:
            row.values.update({value: np.array(results[name][place]) for name, value in stage.to_caller})


def _finished(row: Row, plan: StepPlan) -> dict[str, np.ndarray]:
    return {
        name: plan.model.runtime.read(row.slot, value) if is_state else row.values[value]
        for name, value, is_state in row.job.program.outputs
    }
