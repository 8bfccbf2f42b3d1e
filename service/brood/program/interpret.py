"""The reference interpreter: runs one row alone, in order. Slow, obvious, and right by definition.

    state = init(seed, index, inputs)
    for k in 0 … K−1:   state = step(state, schedule[k], params, noise(seed, stream, index, k));  stop if done
    outputs = finish(state)

Tests, export parity and golden samples compare everything else with it.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from brood.program.compile import (
    Constant,
    Feed,
    FromInput,
    FromNoise,
    FromParam,
    FromSchedule,
    FromState,
    Program,
    ProgramStage,
)
from brood.program.initial import frame, mixed, seed_and_index
from brood.protocol.errors import RowFailed, RuntimeFailed
from brood.protocol.manifest import Noise, Scalar, State
from brood.runtimes.base import LoadedGraph
from brood.sampling.noise import noise


class _Row:
    """Everything one row knows while it is being made."""

    def __init__(
        self, program: Program, seed: int, index: int, params: Mapping[str, Scalar], inputs: Mapping[str, np.ndarray]
    ) -> None:
        self.program, self.seed, self.index, self.params, self.inputs = program, seed, index, params, inputs
        self.schedule = program.schedule(params)
        self.state = {name: self._initial(spec) for name, spec in program.operation.state.items()}
        self.values: dict[str, np.ndarray] = {}
        self.lengths: dict[str, int] = {}  # of states that grow

    def _initial(self, spec: State) -> np.ndarray:
        if spec.init == "frame":
            return frame(self.index, self.params).astype(spec.dtype)
        drawn = None if spec.noise is None else self._noise(spec.noise, spec.shape, 0)
        given = None if spec.input is None else self.inputs[spec.input]
        if spec.init == "mix" and drawn is not None:
            return mixed(self.schedule, drawn, given).astype(spec.dtype)
        found = next((value for value in (drawn, given) if value is not None), np.zeros(spec.shape))
        return found.astype(spec.dtype)

    def _noise(self, spec: Noise, shape: tuple[int, ...], step: int) -> np.ndarray:
        seed, index = seed_and_index(spec, self.seed, self.index, self.params)
        return noise(spec.distribution, seed=seed, stream=spec.stream, index=index, step=step, shape=shape)

    def value(self, feed: Feed, step: int) -> np.ndarray:
        """The value of one graph input, ``[1, *shape]``."""
        match feed.source:
            case FromState(name):
                value: object = self.state[name]
            case FromInput(name):
                value = self.inputs[name]
            case FromParam(name):
                value = self.params[name]
            case FromSchedule(name):
                value = self.schedule.columns[name][step]
            case FromNoise(spec) as source:
                value = 0 if source.silent(self.schedule, step) else self._noise(spec, feed.shape, step)
            case Constant(number):
                value = number
        return np.broadcast_to(np.asarray(value).astype(feed.dtype), feed.shape)[None].copy()

    def run(self, stage: ProgramStage, graphs: Mapping[str, LoadedGraph], step: int) -> bool:
        """Call one graph once and keep what it gives; whether that ends the stage."""
        stage = stage.at(self.schedule, step)
        graph = graphs[stage.graph]
        outputs = graph({feed.name: self.value(feed, step) for feed in stage.feeds})
        if stage.ok is not None and not outputs[stage.ok][0]:
            raise RowFailed(f"sample {self.index} is not finite", index=self.index)
        for name, state in stage.to_state:
            axis = graph.spec.outputs[name].axis
            self.state[state] = outputs[name][0] if axis is None else self._appended(state, outputs[name][0], axis)
        self.values.update({value: outputs[name][0] for name, value in stage.to_caller})
        return stage.done is not None and bool(outputs[stage.done][0])

    def _appended(self, state: str, more: np.ndarray, axis: int) -> np.ndarray:
        """A growing state with one more slice behind those it has."""
        grown, start = self.state[state].copy(), self.lengths.get(state, 0)
        self.lengths[state] = start + more.shape[axis]
        if self.lengths[state] > grown.shape[axis]:
            raise RuntimeFailed(f"state {state!r} is full: {grown.shape[axis]} along axis {axis}")
        grown[(slice(None),) * axis + (slice(start, self.lengths[state]),)] = more
        return grown


def run_row(
    program: Program,
    graphs: Mapping[str, LoadedGraph],
    *,
    seed: int,
    index: int,
    params: Mapping[str, Scalar],
    inputs: Mapping[str, np.ndarray],
) -> dict[str, np.ndarray]:
    """Make one sample.

    Args:
        program: a compiled operation.
        graphs: the bundle's loaded graphs.
        seed, index: which sample.
        params: every parameter of the operation.
        inputs: every input of the operation, without the rows axis.

    Returns:
        Every output of the operation, without the rows axis.

    Raises:
        RowFailed: the network's output was not finite.
        RuntimeFailed: a graph call failed, or a state grew over its length.
    """
    row = _Row(program, seed, index, params, inputs)
    for stage in program.stages:
        for step in range(row.schedule.steps if stage.per_step else 1):
            if row.run(stage, graphs, step):
                break
    return {
        name: np.asarray((row.state if is_state else row.values)[value]) for name, value, is_state in program.outputs
    }
