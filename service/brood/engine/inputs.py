"""The host inputs of a graph call: parameters, schedule numbers, inputs and noise of its rows, as arrays.

A noise input that is drawn once in a row's life is drawn for all rows of the call together; one that is drawn in every
step is drawn ahead, some steps at a time, because a transform of many numbers costs hardly more than one of few.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from brood.engine.rows import NoiseBuffer, Row
from brood.program import Constant, FromInput, FromNoise, FromParam, FromSchedule, FromState
from brood.program.compile import Feed, Program
from brood.protocol.manifest import Noise, State
from brood.sampling.noise import TRANSFORMS, NoiseStream

NUMBERS_AHEAD = 4096  # drawn ahead for one noise input of one row, about 16 KiB


def host_inputs(rows: Sequence[Row], bucket: int) -> dict[str, np.ndarray]:
    """Every input of the rows' graph that is not state, each ``[bucket, *shape]``; padding repeats the first row."""
    feeds = [row.job.program.stages[row.stage].feeds for row in rows]
    inputs: dict[str, np.ndarray] = {}
    for position, feed in enumerate(feeds[0]):
        if not isinstance(feed.source, FromState):
            inputs[feed.name] = _column(rows, [found[position] for found in feeds], bucket)
    return inputs


def _column(rows: Sequence[Row], feeds: Sequence[Feed], bucket: int) -> np.ndarray:
    """One input for all rows. The graph fixes its dtype and shape; only the sources may differ between rows."""
    column = np.empty((bucket, *feeds[0].shape), feeds[0].dtype)
    if isinstance(feeds[0].source, FromNoise):
        _draw(rows, feeds[0], feeds[0].source.noise)
        flat = column.reshape(bucket, -1)
        for place, row in enumerate(rows):
            flat[place] = row.noise[feeds[0].name].at(row.step)
    else:
        for place, (row, feed) in enumerate(zip(rows, feeds, strict=True)):
            column[place] = _value(row, feed)
    column[len(rows) :] = column[0]
    return column


def _value(row: Row, feed: Feed) -> object:
    match feed.source:
        case FromParam(name):
            return row.job.generation.params[name]
        case FromSchedule(name):
            return row.job.schedule.columns[name][row.step]
        case FromInput(name):
            return row.job.generation.inputs[name][row.position]
        case Constant(number):
            return number
        case source:
            raise RuntimeError(f"{feed.name}: {source} is not a host input")


def _draw(rows: Sequence[Row], feed: Feed, noise: Noise) -> None:
    """Make sure that every row has this step's numbers."""
    name, count = feed.name, _count(feed.shape)
    lacking = [row for row in rows if name not in row.noise or not row.noise[name].has(row.step)]
    if not lacking:
        return
    ahead = [_steps_ahead(row, count) for row in lacking]
    raw = np.concatenate([_raw(row, noise, count, steps) for row, steps in zip(lacking, ahead, strict=True)])
    numbers = TRANSFORMS[noise.distribution](raw)
    start = 0
    for row, steps in zip(lacking, ahead, strict=True):
        row.noise[name] = NoiseBuffer(row.step, numbers[start : start + steps])
        start += steps


def _steps_ahead(row: Row, count: int) -> int:
    left = row.job.calls(row.job.program.stages[row.stage]) - row.step
    return max(1, min(left, NUMBERS_AHEAD // count))


def _raw(row: Row, noise: Noise, count: int, steps: int) -> np.ndarray:
    stream = NoiseStream(seed=row.job.generation.seed, stream=noise.stream, index=row.index, count=count, step=row.step)
    return stream.raw(steps)


def _count(shape: tuple[int, ...]) -> int:
    return int(np.prod(shape, dtype=np.int64))


def initial_state(rows: Sequence[Row], program: Program) -> Mapping[str, Sequence[np.ndarray]]:
    """What a fresh row's state begins with: state name → one array per row. All rows are of one program."""
    return {name: _initial(rows, spec) for name, spec in program.operation.state.items()}


def _initial(rows: Sequence[Row], spec: State) -> Sequence[np.ndarray]:
    if spec.input is not None:
        return [row.job.generation.inputs[spec.input][row.position] for row in rows]
    if spec.noise is None:
        return [np.zeros(spec.shape, spec.dtype)] * len(rows)
    count, noise = _count(spec.shape), spec.noise
    raw = np.concatenate([_raw(row, noise, count, 1) for row in rows])
    return list(TRANSFORMS[noise.distribution](raw).reshape(len(rows), *spec.shape))
