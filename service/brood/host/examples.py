"""What a model is tried with: its golden samples, and samples drawn from the ranges that its manifest declares."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from brood.program import Program
from brood.program.compile import ProgramStage
from brood.protocol.manifest import Input, Param, Scalar
from brood.sampling.noise import noise
from brood.store.golden import GoldenRun

SEED = 20250131  # of what is drawn; any would do
FEW_STEPS = 4  # of drawn samples: how long a row is on its way does not change what one call does
LEAST, MOST = 0, 1  # numbers of `drawn` at which every parameter is at an end of its range


@dataclass(frozen=True, slots=True)
class Example:
    """One sample to be made."""

    program: Program
    seed: int
    index: int
    params: Mapping[str, Scalar]  # every parameter of the operation
    inputs: Mapping[str, np.ndarray]  # every input of the operation, without the rows axis
    golden: GoldenRun | None = None  # what the original model gave


def first_example(program: Program, golden: Sequence[GoldenRun]) -> Example:
    """The first golden sample of an operation, or a drawn one if it has none."""
    run = next((run for run in golden if run.words.operation == program.name), None)
    return drawn(program, MOST + 1) if run is None else golden_example(program, run)


def golden_example(program: Program, run: GoldenRun) -> Example:
    """The sample that a golden run recorded."""
    words = run.words
    return Example(program, words.seed, words.index, complete_params(program, words.params), run.inputs, run)


def drawn(program: Program, number: int) -> Example:
    """A sample of an operation with parameters and inputs from their declared ranges; another for each number."""
    params = {
        name: _param(name, spec, number, position)
        for position, (name, spec) in enumerate(program.operation.params.items())
    }
    inputs = {
        name: _input(spec, number, position)
        for position, (name, spec) in enumerate(program.operation.inputs.items(), start=len(params))
    }
    masks = {spec.mask: spec for spec in program.operation.inputs.values() if spec.mask is not None}
    inputs |= {name: np.ones(spec.shape, np.int64) for name, spec in masks.items()}
    return Example(program, SEED + number, number, params, inputs)


def straightened(example: Example) -> Iterator[Example]:
    """The example in few steps, once for each of its program's graphs: each variant in all steps, the preview last.

    What they give is nobody's sample, but each graph is called with what it meets in service.
    """
    params = {name: value for name, value in example.params.items() if name != "steps"}
    if (steps := example.program.operation.params.get("steps")) is not None:
        params["steps"] = _few(steps)
    for stages in _ways(example.program):
        yield replace(example, program=replace(example.program, stages=stages), params=params, golden=None)


def graphs_of(program: Program) -> set[str]:
    """The graphs that a sample of this program depends on."""
    variants = {stage.variant.stage.graph for stage in program.stages if stage.variant is not None}
    return variants | {stage.graph for stage in program.stages}


def complete_params(program: Program, given: Mapping[str, Scalar]) -> dict[str, Scalar]:
    """Every parameter of an operation: the given ones, and the defaults of the others."""
    defaults = {name: spec.default for name, spec in program.operation.params.items() if spec.default is not None}
    return defaults | dict(given)


def _ways(program: Program) -> Iterator[tuple[ProgramStage, ...]]:
    plain = tuple(replace(stage, variant=None) for stage in program.stages)
    preview = () if program.preview is None else (program.preview,)
    yield plain + preview
    for number, stage in enumerate(program.stages):
        if stage.variant is not None:
            yield (*plain[:number], stage.variant.stage, *plain[number + 1 :], *preview)


def _few(steps: Param) -> int:
    low, high = int(steps.minimum or 1), int(steps.maximum or FEW_STEPS)
    return max(low, min(high, FEW_STEPS))


def _param(name: str, spec: Param, number: int, position: int) -> Scalar:
    if name == "steps":
        return _few(spec)
    if spec.choices is not None:
        return spec.choices[(number + position) % len(spec.choices)]
    if spec.type == "bool":
        return bool((number + position) % 2)
    if spec.type == "str" or spec.minimum is None or spec.maximum is None:
        return spec.default if spec.default is not None else _NOTHING[spec.type]
    part = float(number) if number in (LEAST, MOST) else float(_uniform((), number, position))
    value = spec.minimum + (spec.maximum - spec.minimum) * part
    return round(value) if spec.type == "int" else value


def _input(spec: Input, number: int, position: int) -> np.ndarray:
    whole = np.dtype(spec.dtype).kind != "f"
    low = spec.minimum if spec.minimum is not None else (0.0 if whole else -1.0)
    high = spec.maximum if spec.maximum is not None else 1.0
    values = low + (high - low) * _uniform(spec.shape, number, position).astype(np.float64)
    return np.asarray(np.rint(values) if whole else values).astype(spec.dtype)


def _uniform(shape: tuple[int, ...], number: int, position: int) -> np.ndarray:
    return noise("uniform", seed=SEED, stream=position, index=number, step=0, shape=shape)


_NOTHING: Mapping[str, Scalar] = {"int": 0, "float": 0.0, "str": ""}
