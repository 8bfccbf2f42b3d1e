"""The host inputs of graph calls: parameters, schedule numbers, inputs and noise of their rows, as arrays.

They are made for several calls of the same rows at once, which costs hardly more than for one; what is the same in all
of them is made once. So is noise, whose transform of many numbers costs hardly more than one of few; and it is drawn
while the device computes, because it does not depend on what comes out: `lacking` says what a row will need, `draw`
draws it for many rows together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import prod

import numpy as np
from numpy.typing import ArrayLike

from brood.engine.model import Call
from brood.engine.rows import NoiseBuffer, Row
from brood.program import Constant, FromInput, FromNoise, FromParam, FromSchedule, FromState
from brood.program.compile import Feed, Program, ProgramStage
from brood.program.initial import frame, mixed, seed_and_index
from brood.protocol.manifest import Noise, State
from brood.sampling.noise import TRANSFORMS, NoiseStream

NUMBERS_AHEAD = 4096  # drawn ahead for one noise input of one row, about 16 KiB

Inputs = dict[str, np.ndarray]  # graph input → [bucket, *shape]


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


def lacking(row: Row, ahead: int = 0, steps: int = 1) -> list[Lack]:
    """What has to be drawn so that a row has all for so many steps.

    Args:
        row: any that has not ended.
        ahead: how many come before those: the present step, and others of the same stage.
        steps: as many as are left in its stage count.
    """
    job, first = row.job, row.step + ahead
    since, until = row.stocked
    if since <= row.step and first + steps <= until:
        return []
    leg = job.legs[row.stage]
    if first >= leg.calls:
        return []
    found = _lacking_state(row) if not ahead and job.program.operation.state and row.fresh else []
    behind, reach = min(first + steps, leg.calls), leg.run(first) + first
    for draw in leg.call(first).draws:
        scale = draw.source.noise.scale
        if scale is not None and first >= job.schedule.heard(scale).last:
            continue  # silent to the end
        held, begin = row.noise.get((row.stage, draw.feed)), first
        if held is not None and held.first_step <= first < held.end:
            begin = held.end
        if begin >= behind:
            reach = min(reach, begin)
        elif begin >= first + _heard(row, draw.source, first, behind - first)[0]:
            reach = min(reach, behind)
        else:
            more = max(behind - begin, min(leg.calls - begin, NUMBERS_AHEAD // draw.count))
            found.append(Lack(row, draw.source.noise, draw.count, begin, more, row.stage, draw.feed))
    if found:
        row.stocked = 0, 0
    elif not ahead:
        row.stocked = first, reach
    elif since <= row.step and first <= until:
        row.stocked = since, max(until, reach)
    return found


def _heard(row: Row, source: FromNoise, first: int, steps: int) -> tuple[int, np.ndarray | None]:
    """Of the noise of so many steps: how many there are up to the last one that is not multiplied by 0, and which are.

    Where none is multiplied by 0 it is not said which.
    """
    scale = source.noise.scale
    if scale is None:
        return steps, None
    heard = row.job.schedule.heard(scale)
    if first + steps <= heard.first_silent:
        return steps, None
    here: np.ndarray = heard.steps[first : first + steps]
    if first >= heard.last:
        return 0, here
    return int(here.nonzero()[0][-1]) + 1 if here.any() else 0, here


def _lacking_state(row: Row) -> list[Lack]:
    states = row.job.program.operation.state.items()
    return [
        Lack(row, spec.noise, prod(spec.shape), 0, 1, state=name)
        for name, spec in states
        if spec.noise is not None and name not in row.begins
    ]


def draw(lacks: Iterable[Lack]) -> None:
    """Draw what lacks, all of one distribution together."""
    together: dict[str, list[Lack]] = {}
    for lack in lacks:
        together.setdefault(lack.noise.distribution, []).append(lack)
    for distribution, group in together.items():
        transform, start = TRANSFORMS[distribution], 0
        if len(group) == 1:
            _give(group[0], transform(_raw(group[0])))
            continue
        numbers = transform(np.concatenate([_raw(lack).reshape(-1) for lack in group]))
        for lack in group:
            end = start + lack.steps * lack.count
            _give(lack, numbers[start:end].reshape(lack.steps, lack.count))
            start = end


def _raw(lack: Lack) -> np.ndarray:
    row, noise = lack.row, lack.noise
    order = row.job.generation
    seed, index = seed_and_index(noise, order.seed, row.index, order.params)
    stream = NoiseStream(seed=seed, stream=noise.stream, index=index, count=lack.count, step=lack.step)
    return stream.raw(lack.steps)


def _give(lack: Lack, numbers: np.ndarray) -> None:
    row, key, first = lack.row, (lack.stage, lack.feed), lack.step
    if lack.state:
        row.begins[lack.state] = numbers[0]
        return
    held = row.noise.get(key)
    if held is not None and held.first_step <= row.step < held.end == lack.step:
        first = row.step
        numbers = np.concatenate([held.span(first, held.end - first), numbers])
    row.noise[key] = NoiseBuffer(first, first + len(numbers), numbers)


class HostInputs:
    """Every input of a graph that is not state, for calls of the same rows; padding repeats the first row.

    Args:
        rows: of one group.
        bucket: rows of a call.
    """

    def __init__(self, rows: Sequence[Row], bucket: int) -> None:
        self._rows = rows
        self._lasting = Inputs()
        self._changing: dict[str, Callable[[int, int], np.ndarray]] = {}  # makes [steps, bucket, *shape]
        call = rows[0].call
        if any(row.call is not call for row in rows):
            self._mix([row.call.stage for row in rows], bucket)
            return
        self._lasting.update(constants(call, bucket))
        for feed in call.hosted:
            match feed.source:
                case FromSchedule(name):
                    self._changing[feed.name] = partial(_scheduled, rows, feed, name, bucket)
                case FromNoise() as source:
                    self._changing[feed.name] = partial(_drawn, rows, feed, source, bucket)
                case FromParam(name):
                    self._lasting[feed.name] = padded([row.job.generation.params[name] for row in rows], feed, bucket)
                case _:
                    self._lasting[feed.name] = padded([_value(row, feed) for row in rows], feed, bucket)

    def _mix(self, stages: Sequence[ProgramStage], bucket: int) -> None:
        """Of rows in different stages, which read the same states."""
        for position, feed in enumerate(stages[0].feeds):
            if not isinstance(feed.source, FromState):
                feeds = [stage.feeds[position] for stage in stages]
                self._changing[feed.name] = partial(_mixed, self._rows, feeds, bucket)

    def of(self, ahead: int = 0, steps: int = 1) -> Iterator[Inputs]:
        """Those of one call after another.

        Args:
            ahead: how many steps come before those: the present one, and others of the same call.
            steps: calls, none of them beyond a row's stage.
        """
        lacks = [lack for row in self._rows for lack in lacking(row, ahead, steps)]
        if lacks:
            draw(lacks)
        changing = {name: make(ahead, steps) for name, make in self._changing.items()}
        return ({**self._lasting, **{name: array[step] for name, array in changing.items()}} for step in range(steps))


def constants(call: Call, bucket: int) -> Inputs:
    """The inputs of a call that are one number everywhere, each [bucket, *shape]; made once, read only."""
    if bucket not in call.constants:
        made = call.constants[bucket] = {}
        for feed in call.stage.feeds:
            if isinstance(feed.source, Constant):
                made[feed.name] = np.full((bucket, *feed.shape), feed.source.value, feed.dtype)
                made[feed.name].flags.writeable = False
    return call.constants[bucket]


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


def _value(row: Row, feed: Feed) -> ArrayLike:
    """What is the same in all steps."""
    match feed.source:
        case FromParam(name):
            return row.job.generation.params[name]
        case FromInput(name):
            given: np.ndarray = row.job.generation.inputs[name][row.position]
            return given
        case Constant(number):
            return number
        case source:
            raise RuntimeError(f"{feed.name}: {source} is not a host input")


def _scheduled(rows: Sequence[Row], feed: Feed, name: str, bucket: int, ahead: int, steps: int) -> np.ndarray:
    """A column of the rows' schedules, [steps, bucket, *shape]; one number a step fills its row's whole shape."""
    array = np.empty((steps, bucket, *feed.shape), feed.dtype)
    single = rows[0].job.schedule.columns[name].ndim == 1
    turned = array.T if single else array  # [*shape reversed, bucket, steps]
    for place, row in enumerate(rows):
        first = row.step + ahead
        numbers = row.job.schedule.columns[name][first : first + steps]
        turned[(..., place, slice(None)) if single else (slice(None), place)] = numbers
    array[:, len(rows) :] = array[:, :1]
    return array


def _drawn(rows: Sequence[Row], feed: Feed, source: FromNoise, bucket: int, ahead: int, steps: int) -> np.ndarray:
    """The noise of all rows, [steps, bucket, *shape]; zeros where it is silent."""
    all_heard, (until, heard) = source.noise.scale is None, (steps, None)
    flat = (np.empty if all_heard else np.zeros)((steps, bucket, prod(feed.shape)), feed.dtype)
    for place, row in enumerate(rows):
        first = row.step + ahead
        if not all_heard:
            until, heard = _heard(row, source, first, steps)
        if until:
            flat[:until, place] = row.noise[row.stage, feed.name].span(first, until)
            if heard is not None:
                flat[~heard, place] = 0
    flat[:, len(rows) :] = flat[:, :1]
    return flat.reshape(steps, bucket, *feed.shape)


def _mixed(rows: Sequence[Row], feeds: Sequence[Feed], bucket: int, ahead: int, steps: int) -> np.ndarray:
    """One input of rows of different stages, [steps, bucket, *shape]: only where it comes from differs."""
    array = np.empty((steps, bucket, *feeds[0].shape), feeds[0].dtype)
    for place, (row, feed) in enumerate(zip(rows, feeds, strict=True)):
        match feed.source:
            case FromSchedule(name):
                array[:, place] = _scheduled([row], feed, name, 1, ahead, steps)[:, 0]
            case FromNoise() as source:
                array[:, place] = _drawn([row], feed, source, 1, ahead, steps)[:, 0]
            case _:
                array[:, place] = _value(row, feed)
    array[:, len(rows) :] = array[:, :1]
    return array


def initial_state(rows: Sequence[Row], program: Program) -> Mapping[str, Sequence[np.ndarray]]:
    """What a fresh row's state begins with: state name → one array per row. All rows are of one program."""
    draw(lack for row in rows for lack in lacking(row))  # with the first step's noise, so that both are one draw
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
