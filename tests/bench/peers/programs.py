"""A bundle's step program as files that need numpy and ONNX Runtime alone: see `servers/walks.py`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from brood.program.compile import (
    Constant,
    Feed,
    FromNoise,
    FromParam,
    FromSchedule,
    FromState,
    Program,
    ProgramStage,
    compile_program,
)
from brood.protocol.manifest import Scalar, State
from brood.sampling.schedules import Schedule
from brood.store.store import find_bundles, read_bundle

Params = Mapping[str, Scalar]


def write_walk(path: Path, store: Path, model: str, kinds: Sequence[Params]) -> None:
    """``path`` and the ``.npz`` beside it: how requests of these kinds go through the operation ``generate``.

    Args:
        path: ``….json``.
        store: where the bundle is; its graph file is used as it lies there.
        model: its name. It has one stage of steps.
        kinds: parameters of each kind of request, where they are not the defaults; all use the same graph.
    """
    bundle = read_bundle(next(ref.directory for ref in find_bundles(store) if ref.name == model))
    program = compile_program(bundle.manifest, "generate")
    schedules = [program.schedule(_complete(program, kind)) for kind in kinds]
    (stage,) = {
        program.stages[0].at(schedule, 0).graph: program.stages[0].at(schedule, 0) for schedule in schedules
    }.values()
    words = {
        "graph": str(bundle.directory / bundle.manifest.graphs[stage.graph].file),
        "kinds": len(kinds),
        "labels": _labels(program),
        "states": {name: _state(stage, name, spec) for name, spec in program.operation.state.items()},
        "fixed": {feed.name: _fixed(feed) for feed in stage.feeds if isinstance(feed.source, FromParam | Constant)},
        "columns": {feed.name: feed.dtype.name for feed in stage.feeds if isinstance(feed.source, FromSchedule)},
        "noise": {feed.name: _noise(feed) for feed in stage.feeds if isinstance(feed.source, FromNoise)},
        "output": _output(program, stage),
    }
    path.write_text(json.dumps(words, indent=2) + "\n")
    tables: dict[str, Any] = {}
    for number, (kind, schedule) in enumerate(zip(kinds, schedules, strict=True)):
        found = _tables(stage, schedule, _complete(program, kind))
        tables |= {f"{number}.{name}": value for name, value in found.items()}
    np.savez(path.with_suffix(".npz"), **tables)


def _complete(program: Program, kind: Params) -> dict[str, Scalar]:
    defaults = {name: spec.default for name, spec in program.operation.params.items() if spec.default is not None}
    return {**defaults, **kind}


def _labels(program: Program) -> int:
    label = program.operation.params.get("label")
    return 1 if label is None or label.maximum is None else int(label.maximum) + 1


def _state(stage: ProgramStage, name: str, spec: State) -> dict[str, Any]:
    sources = {state: output for output, state in stage.to_state}
    return {
        "shape": spec.shape,
        "dtype": spec.dtype,
        "first": "zeros" if spec.noise is None else spec.noise.distribution,
        "scaled": spec.init == "mix",
        "from": sources.get(name, ""),
    }


def _fixed(feed: Feed) -> dict[str, Any]:
    told = {"shape": feed.shape, "dtype": feed.dtype.name}
    match feed.source:
        case FromParam("label"):
            return {**told, "is": "label"}
        case FromParam(name):
            return {**told, "is": "param", "param": name}
        case Constant(value):
            return {**told, "is": "constant", "value": value}
    raise TypeError(f"{feed.name}: {feed.source} does not stay as it is")


def _noise(feed: Feed) -> dict[str, Any]:
    if not isinstance(feed.source, FromNoise):
        raise TypeError(f"{feed.name}: {feed.source} is no noise")
    return {"shape": feed.shape, "distribution": feed.source.noise.distribution}


def _output(program: Program, stage: ProgramStage) -> dict[str, Any]:
    """The picture, or whatever else comes first."""
    name, value, is_state = program.outputs[0]
    pairs = stage.to_state if is_state else stage.to_caller
    spec = program.operation.outputs[name]
    source = next(output for output, target in pairs if target == value)
    return {"name": name, "from": source, "shape": spec.shape, "dtype": spec.dtype}


def _tables(stage: ProgramStage, schedule: Schedule, params: Params) -> dict[str, Any]:
    steps = range(schedule.steps)
    told: dict[str, Any] = {"steps": schedule.steps, "scale": schedule.init[1]}
    for feed in stage.feeds:
        match feed.source:
            case FromSchedule(name):
                told[feed.name] = schedule.columns[name]
            case FromNoise() as source:
                told[f"{feed.name}.used"] = np.array([not source.silent(schedule, step) for step in steps])
            case FromParam(name):
                told[name] = params[name]
            case FromState(name) if feed.name != name:
                raise ValueError(f"{feed.name} is state {name} under another name")
    return told
