"""How names resolve: from a manifest's operation to a program that says where every tensor comes from and goes to.

A graph's tensor ``x`` of a stage is called ``bind.get("x", "x")`` in the operation. For inputs, the role says where to
look it up: ``state`` among the operation's state, ``param`` among its parameters, ``input`` among its inputs,
``schedule`` among the schedule's columns; ``noise`` carries its own source. ``input`` and ``param`` may also name a
state (the result of an earlier stage) or be bound to a constant. An output goes to the state of its name if there is
one, and else to the caller, if the operation has such an output.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from brood.protocol.errors import BundleError
from brood.protocol.manifest import GraphInput, Manifest, Noise, Operation, Scalar, Stage
from brood.sampling.schedules import COLUMNS, Schedule, make_schedule


@dataclass(frozen=True, slots=True)
class FromState:
    """The row's own tensor."""

    name: str


@dataclass(frozen=True, slots=True)
class FromNoise:
    """Fresh random numbers for this step."""

    noise: Noise


@dataclass(frozen=True, slots=True)
class FromSchedule:
    """This step's entry in a column of the schedule."""

    name: str


@dataclass(frozen=True, slots=True)
class FromParam:
    """A scalar parameter, the same in all steps."""

    name: str


@dataclass(frozen=True, slots=True)
class FromInput:
    """A tensor the caller gave, the same in all steps."""

    name: str


@dataclass(frozen=True, slots=True)
class Constant:
    """A number fixed by the manifest."""

    value: float


Source = FromState | FromNoise | FromSchedule | FromParam | FromInput | Constant


@dataclass(frozen=True, slots=True)
class Feed:
    """Where one graph input comes from."""

    name: str  # the graph's own name
    source: Source
    dtype: np.dtype[np.generic]
    shape: tuple[int, ...]  # of one row


@dataclass(frozen=True, slots=True)
class ProgramStage:
    """One graph with everything about it resolved."""

    graph: str
    per_step: bool  # called once for every step of the schedule, else once
    feeds: tuple[Feed, ...]
    to_state: tuple[tuple[str, str], ...]  # (graph output, state) pairs
    to_caller: tuple[tuple[str, str], ...]  # (graph output, value) pairs
    ok: str | None  # graph output that tells whether a row is finite


@dataclass(frozen=True, slots=True)
class Program:
    """One operation of one model, resolved: what the engine runs and the interpreter explains."""

    manifest: Manifest
    name: str
    operation: Operation
    stages: tuple[ProgramStage, ...]
    outputs: tuple[tuple[str, str, bool], ...]  # (output, value it is taken from, whether that is a state)

    def schedule(self, params: Mapping[str, Scalar]) -> Schedule:
        """The per-step numbers of a row with these parameters."""
        words = self.manifest.schedule
        return make_schedule(words if any(stage.per_step for stage in self.stages) else None, params)


def compile_program(manifest: Manifest, operation_name: str) -> Program:
    """Resolve every name of an operation.

    Raises:
        BundleError: a name leads nowhere; the message says which one, in which stage.
    """
    operation = manifest.operations[operation_name]
    where = f"operations.{operation_name}"
    if manifest.schedule is not None and manifest.schedule.kind not in COLUMNS:
        raise _lost("schedule.kind", manifest.schedule.kind, list(COLUMNS))
    stages = tuple(
        _stage(manifest, operation, stage, f"{where}.stages.{number}") for number, stage in enumerate(operation.stages)
    )
    produced = {value for stage in stages for _, value in stage.to_caller}
    outputs = []
    for name, output in operation.outputs.items():
        value = output.value or name
        if value not in operation.state and value not in produced:
            raise _lost(f"{where}.outputs.{name}.value", value, sorted(produced | set(operation.state)))
        outputs.append((name, value, value in operation.state))
    return Program(manifest, operation_name, operation, stages, tuple(outputs))


def _stage(manifest: Manifest, operation: Operation, stage: Stage, where: str) -> ProgramStage:
    graph = manifest.graphs[stage.graph]
    for bound in stage.bind:
        if bound not in graph.inputs and bound not in graph.outputs:
            raise _lost(f"{where}.bind", bound, [*graph.inputs, *graph.outputs])
    feeds = tuple(
        Feed(name, _source(manifest, operation, stage, name, spec, where), np.dtype(spec.dtype), spec.shape)
        for name, spec in graph.inputs.items()
    )
    wanted = {output.value or name for name, output in operation.outputs.items()}
    targets = [(name, str(stage.bind.get(name, name))) for name, spec in graph.outputs.items() if spec.role != "ok"]
    return ProgramStage(
        graph=stage.graph,
        per_step=stage.repeat == "schedule",
        feeds=feeds,
        to_state=tuple((name, target) for name, target in targets if target in operation.state),
        to_caller=tuple((name, target) for name, target in targets if target in wanted - set(operation.state)),
        ok=next((name for name, spec in graph.outputs.items() if spec.role == "ok"), None),
    )


def _source(manifest: Manifest, operation: Operation, stage: Stage, name: str, spec: GraphInput, where: str) -> Source:
    target = stage.bind.get(name, name)
    if not isinstance(target, str):
        return Constant(float(target))
    if spec.noise is not None:
        return FromNoise(spec.noise)
    if spec.role == "schedule" and manifest.schedule and target in COLUMNS[manifest.schedule.kind]:
        return FromSchedule(target)
    if spec.role == "param" and target in operation.params:
        return FromParam(target)
    if spec.role == "input" and target in operation.inputs:
        return FromInput(target)
    if spec.role != "schedule" and target in operation.state:
        return FromState(target)
    raise _lost(f"{where}.bind.{name} (role {spec.role})", target, _offered(manifest, operation, spec.role))


def _offered(manifest: Manifest, operation: Operation, role: str) -> list[str]:
    if role == "schedule":
        return list(COLUMNS[manifest.schedule.kind]) if manifest.schedule else []
    return [*(operation.params if role == "param" else operation.inputs), *operation.state]


def _lost(field: str, name: str, offered: list[str]) -> BundleError:
    return BundleError(f"{field}: nothing is called {name!r} here; there are: {', '.join(offered) or '-'}", field=field)
