"""The host inputs of a graph call: parameters, schedule numbers, inputs and noise of its rows, as arrays.

Noise is drawn ahead, some steps at a time, because a transform of many numbers costs hardly more than one of few; and
while the device computes, because it does not depend on what comes out: `lacking` says what a row will need, `draw`
draws it for many rows together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import prod

import numpy as np
from numpy.typing import ArrayLike

from brood.engine.rows import NoiseBuffer, Row
from brood.program import Constant, FromInput, FromNoise, FromParam, FromSchedule, FromState
from brood.program.compile import Feed, Program, ProgramStage
from brood.program.initial import frame, mixed, seed_and_index
from brood.protocol.manifest import Noise, State
from brood.sampling.noise import TRANSFORMS, NoiseStream

NUMBERS_AHEAD = 4096  # drawn ahead for one noise input of one row, about 16 KiB
CONSTANTS = 256  # arrays that are kept


@dataclass(frozen=True, slots=True)
class Lack:
    """Numbers of one noise input, or the first value of one state, that a row does not have yet."""

    row: Row
    noise: Noise
    count: int  # numbers a step
    step: int
    steps: int
    stage: int = 0
    feed: str = ""
    state: str = ""  # set: it is this state's first value


def lacking(row: Row, coming: bool) -> list[Lack]:
    """What has to be drawn for a row's present step, or for the one behind it.

    Args:
        row: any that has not ended.
        coming: the present step is being made; the next one counts, if it is in the same stage.
    """
    step, job = row.step + coming, row.job
    leg = job.legs[row.stage]
    if step >= leg.calls:
        return []
    found = _lacking_state(row) if not coming and job.program.operation.state and row.fresh else []
    for draw in leg.call(step).draws:
        buffer = row.noise.get((row.stage, draw.feed))
        if (buffer is None or not buffer.has(step)) and not draw.source.silent(job.schedule, step):
            steps = max(1, min(leg.calls - step, NUMBERS_AHEAD // draw.count))
            found.append(Lack(row, draw.source.noise, draw.count, step, steps, row.stage, draw.feed))
    return found


def _lacking_state(row: Row) -> list[Lack]:
    states = row.job.program.operation.state.items()
    return [
        Lack(row, spec.noise, prod(spec.shape), 0, 1, state=name)
        for name, spec in states
        if spec.noise is not None and name not in row.begins
    ]


def draw(lacks: Iterable[Lack]) -> None:
    """Draw what lacks, all of one distribution and size together."""
    together: dict[tuple[str, int], list[Lack]] = {}
    for lack in lacks:
        together.setdefault((lack.noise.distribution, lack.count), []).append(lack)
    for (distribution, _), group in together.items():
        numbers = TRANSFORMS[distribution](np.concatenate([_raw(lack) for lack in group]))
        start = 0
        for lack in group:
            _give(lack, numbers[start : start + lack.steps])
            start += lack.steps


def _raw(lack: Lack) -> np.ndarray:
    row, noise = lack.row, lack.noise
    order = row.job.generation
    seed, index = seed_and_index(noise, order.seed, row.index, order.params)
    stream = NoiseStream(seed=seed, stream=noise.stream, index=index, count=lack.count, step=lack.step)
    return stream.raw(lack.steps)


def _give(lack: Lack, numbers: np.ndarray) -> None:
    if lack.state:
        lack.row.begins[lack.state] = numbers[0]
    else:
        lack.row.noise[lack.stage, lack.feed] = NoiseBuffer(lack.step, numbers)


def host_inputs(rows: Sequence[Row], bucket: int) -> dict[str, np.ndarray]:
    """Every input of the rows' graph that is not state, each ``[bucket, *shape]``; padding repeats the first row."""
    draw(lack for row in rows for lack in lacking(row, coming=False))
    stages = [row.call.stage for row in rows]
    same = all(stage is stages[0] for stage in stages)
    inputs = {}
    for position, feed in enumerate(stages[0].feeds):
        if same and isinstance(feed.source, Constant):
            inputs[feed.name] = constant(feed.source.value, bucket, feed.shape, feed.dtype)
        elif same and isinstance(feed.source, FromNoise):
            inputs[feed.name] = _drawn(rows, feed, feed.source, bucket)
        elif not isinstance(feed.source, FromState):
            values = _values(rows, feed) if same else _mixed_values(rows, stages, position)
            inputs[feed.name] = padded(values, feed, bucket)
    return inputs


@lru_cache(CONSTANTS)
def constant(value: float, bucket: int, shape: tuple[int, ...], dtype: np.dtype[np.generic]) -> np.ndarray:
    """One number everywhere, [bucket, *shape]; made once, read only."""
    array = np.full((bucket, *shape), value, dtype)
    array.flags.writeable = False
    return array


def padded(values: Sequence[ArrayLike], feed: Feed, bucket: int) -> np.ndarray:
    """One input for all rows, [bucket, *shape] of its dtype; padding repeats the first row."""
    array = np.empty((bucket, *feed.shape), feed.dtype)
    if np.ndim(values[0]) == len(feed.shape):
        array[: len(values)] = values
    else:
        for place, value in enumerate(values):
            array[place] = value
    array[len(values) :] = array[0]
    return array


def _mixed_values(rows: Sequence[Row], stages: Sequence[ProgramStage], position: int) -> list[ArrayLike]:
    """One input of rows of different stages. The graph fixes dtype and shape; only the sources may differ."""
    return [_values([row], stage.feeds[position])[0] for row, stage in zip(rows, stages, strict=True)]


def _values(rows: Sequence[Row], feed: Feed) -> list[ArrayLike]:
    match feed.source:
        case FromParam(name):
            return [row.job.generation.params[name] for row in rows]
        case FromSchedule(name):
            return [row.job.schedule.columns[name][row.step] for row in rows]
        case FromInput(name):
            return [row.job.generation.inputs[name][row.position] for row in rows]
        case FromNoise() as source:
            return list(_drawn(rows, feed, source, len(rows)))
        case Constant(number):
            return [number] * len(rows)
        case source:
            raise RuntimeError(f"{feed.name}: {source} is not a host input")


def _drawn(rows: Sequence[Row], feed: Feed, source: FromNoise, bucket: int) -> np.ndarray:
    """This step's noise of all rows, [bucket, *shape]; zeros where it is silent."""
    flat = np.zeros((bucket, prod(feed.shape)), feed.dtype)
    for place, row in enumerate(rows):
        if not source.silent(row.job.schedule, row.step):
            flat[place] = row.noise[row.stage, feed.name].at(row.step)
    flat[len(rows) :] = flat[0]
    return flat.reshape(bucket, *feed.shape)


def initial_state(rows: Sequence[Row], program: Program) -> Mapping[str, Sequence[np.ndarray]]:
    """What a fresh row's state begins with: state name → one array per row. All rows are of one program."""
    draw(lack for row in rows for lack in _lacking_state(row))
    return {name: [_initial(row, name, spec) for row in rows] for name, spec in program.operation.state.items()}


def _initial(row: Row, name: str, spec: State) -> np.ndarray:
    if spec.init == "frame":
        return frame(row.index, row.job.generation.params).astype(spec.dtype)
    if row.behind and row.job.common is not None and name in row.job.common:
        return row.job.common[name]
    given = None if spec.input is None else row.job.generation.inputs[spec.input][row.position]
    if spec.noise is None:
        return np.zeros(spec.shape, spec.dtype) if given is None else given
    drawn = row.begins[name].reshape(spec.shape)
    return mixed(row.job.schedule, drawn, given) if spec.init == "mix" else drawn
