"""How names resolve: from a manifest's operation to a program that says where every tensor comes from and goes to.

A graph's tensor ``x`` of a stage is called ``bind.get("x", "x")`` in the operation. For inputs, the role says where to
look it up: ``state`` among the operation's state, ``param`` among its parameters, ``input`` among its inputs,
``schedule`` among the schedule's columns; ``noise`` carries its own source. ``input``, ``param`` and, where ``bind``
names one, ``noise`` may also be a state (the result of an earlier stage) or a constant. An output goes to the state of
its name if there is one, and else to the caller, if the operation has such an output. A preview's outputs are outputs
of the operation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from brood.program.initial import FRAMES
from brood.program.shared import check_shared
from brood.protocol.errors import BundleError
from brood.protocol.manifest import FLAGS, Graph, GraphInput, Manifest, Noise, Operation, Preview, Scalar, Stage
from brood.runtimes.memory import row_bytes
from brood.sampling.schedules import COLUMNS, Schedule, make_schedule


@dataclass(frozen=True, slots=True)
class FromState:
    """The row's own tensor."""

    name: str


@dataclass(frozen=True, slots=True)
class FromNoise:
    """Fresh random numbers for this step."""

    noise: Noise

    def silent(self, schedule: Schedule, step: int) -> bool:
        """Whether the numbers of this step are all 0 because they would be multiplied by 0."""
        scale = self.noise.scale
        return scale is not None and schedule.columns[scale][step] == 0


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
    done: str | None = None  # graph output that tells whether a row has no more to do in this stage
    shared: bool = False  # called once for all rows of a request
    variant: ProgramVariant | None = None

    def at(self, schedule: Schedule, step: int) -> ProgramStage:
        """What a row calls in this step: the stage itself, or its variant."""
        found = self.variant
        return self if found is None or schedule.columns[found.column][step] == found.unless else found.stage


@dataclass(frozen=True, slots=True)
class ProgramVariant:
    """Another graph for the steps whose schedule number is not ``unless``."""

    stage: ProgramStage
    column: str
    unless: float


@dataclass(frozen=True, slots=True)
class Program:
    """One operation of one model, resolved: what the engine runs and the interpreter explains."""

    manifest: Manifest
    name: str
    operation: Operation
    stages: tuple[ProgramStage, ...]
    outputs: tuple[tuple[str, str, bool], ...]  # (output, value it is taken from, whether that is a state)
    shared: frozenset[str] = frozenset()  # states that the first stages make for all rows of a request
    preview: ProgramStage | None = None  # of an unfinished row; its values are outputs of the operation
    output_bytes: int = field(init=False)  # of one sample
    shared_bytes: int = field(init=False)  # of the states that are shared

    def __post_init__(self) -> None:
        object.__setattr__(self, "output_bytes", sum(map(row_bytes, self.operation.outputs.values())))
        object.__setattr__(self, "shared_bytes", sum(row_bytes(self.operation.state[each]) for each in self.shared))

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
    _check_state(operation, where)
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
    shared, preview = check_shared(manifest, operation, where), _preview(manifest, operation, where)
    return Program(manifest, operation_name, operation, stages, tuple(outputs), shared, preview)


def _check_state(operation: Operation, where: str) -> None:
    """Whether there are the parameters that first values are made of."""
    for name, state in operation.state.items():
        if state.noise is not None:
            _check_noise(state.noise, operation, f"{where}.state.{name}")
        if state.init == "frame" and FRAMES not in operation.params:
            raise _lost(f"{where}.state.{name}.init", FRAMES, list(operation.params))


def _check_noise(noise: Noise, operation: Operation, where: str) -> None:
    for word, param in (("seed", noise.seed), ("index", noise.index)):
        if param is not None and param not in operation.params:
            raise _lost(f"{where}.noise.{word}", param, list(operation.params))


def _stage(manifest: Manifest, operation: Operation, words: Stage, where: str) -> ProgramStage:
    known = dict.fromkeys(name for graph in _graphs(words) for name in _tensors(manifest.graphs[graph]))
    if lost := next((name for name in words.bind if name not in known), None):
        raise _lost(f"{where}.bind", lost, list(known))
    wanted = {output.value or name for name, output in operation.outputs.items()} - set(operation.state)
    made = [_call(manifest, operation, words, graph, wanted, where) for graph in _graphs(words)]
    if words.variant is None:
        return made[0]
    stage, other = made
    if _targets(stage) != _targets(other):
        raise BundleError(f"{where}.variant: {other.graph!r} and {stage.graph!r} make different things", field=where)
    usual, varied = _noises(stage), _noises(other)
    if differs := [name for name in usual if varied.get(name, usual[name]) != usual[name]]:
        raise BundleError(f"{where}.variant: input {differs[0]!r} of {other.graph!r} is other noise", field=where)
    kind = manifest.schedule.kind if manifest.schedule else ""
    if words.variant.column not in COLUMNS[kind]:
        raise _lost(f"{where}.variant.column", words.variant.column, list(COLUMNS[kind]))
    return replace(stage, variant=ProgramVariant(other, words.variant.column, words.variant.unless))


def _targets(stage: ProgramStage) -> set[tuple[str, bool]]:
    """What a stage makes: the name, and whether it is a state."""
    return {(name, True) for _, name in stage.to_state} | {(name, False) for _, name in stage.to_caller}


def _noises(stage: ProgramStage) -> dict[str, tuple[Noise, tuple[int, ...]]]:
    """A stage's random inputs. They are drawn for some steps ahead, whichever graph those will call."""
    return {feed.name: (feed.source.noise, feed.shape) for feed in stage.feeds if isinstance(feed.source, FromNoise)}


def _graphs(stage: Stage) -> list[str]:
    return [stage.graph] if stage.variant is None else [stage.graph, stage.variant.graph]


def _tensors(graph: Graph) -> list[str]:
    return [*graph.inputs, *graph.outputs]


def _call(
    manifest: Manifest, operation: Operation, stage: Stage | Preview, graph_name: str, wanted: set[str], where: str
) -> ProgramStage:
    graph = manifest.graphs[graph_name]
    feeds = tuple(
        Feed(name, _source(manifest, operation, stage, name, spec, where), np.dtype(spec.dtype), spec.shape)
        for name, spec in graph.inputs.items()
    )
    targets = [
        (name, str(stage.bind.get(name, name))) for name, spec in graph.outputs.items() if spec.role not in FLAGS
    ]
    ok, done = (next((name for name, spec in graph.outputs.items() if spec.role == role), None) for role in FLAGS)
    return ProgramStage(
        graph=graph_name,
        per_step=isinstance(stage, Stage) and stage.repeat == "schedule",
        shared=isinstance(stage, Stage) and stage.repeat == "per_request",
        feeds=feeds,
        to_state=tuple((name, target) for name, target in targets if target in operation.state),
        to_caller=tuple((name, target) for name, target in targets if target in wanted),
        ok=ok,
        done=done,
    )


def _preview(manifest: Manifest, operation: Operation, where: str) -> ProgramStage | None:
    """The preview as a stage that changes nothing: everything it makes goes to the caller."""
    words = operation.preview
    if words is None:
        return None
    where = f"{where}.preview"
    stage = _call(manifest, operation, words, words.graph, set(operation.outputs), where)
    for feed in stage.feeds:
        if not isinstance(feed.source, FromState | FromParam | Constant):
            role = manifest.graphs[words.graph].inputs[feed.name].role
            raise BundleError(
                f"{where}: input {feed.name!r} is of role {role}; allowed: state, param, and what is bound to a "
                "state or a number",
                field=where,
            )
    if not stage.to_caller:
        raise _lost(f"{where}.bind", ", ".join(manifest.graphs[words.graph].outputs), list(operation.outputs))
    return replace(stage, to_state=())


def _source(
    manifest: Manifest, operation: Operation, stage: Stage | Preview, name: str, spec: GraphInput, where: str
) -> Source:
    target = stage.bind.get(name, name)
    if not isinstance(target, str):
        return Constant(float(target))
    if spec.noise is not None and name not in stage.bind:
        columns = COLUMNS[manifest.schedule.kind] if manifest.schedule else ()
        if spec.noise.scale not in (None, *columns):
            raise _lost(f"graphs.*.inputs.{name}.noise.scale", str(spec.noise.scale), list(columns))
        _check_noise(spec.noise, operation, f"graphs.*.inputs.{name}")
        return FromNoise(spec.noise)
    if spec.role == "schedule" and manifest.schedule and target in COLUMNS[manifest.schedule.kind]:
        return FromSchedule(target)
    if spec.role == "param" and target in operation.params:
        return FromParam(target)
    if spec.role == "input" and target in readable(operation):
        return FromInput(target)
    if spec.role != "schedule" and target in operation.state:
        return FromState(target)
    raise _lost(f"{where}.bind.{name} (role {spec.role})", target, _offered(manifest, operation, spec.role))


def readable(operation: Operation) -> list[str]:
    """Inputs that graphs may read: what callers give, and the masks of texts."""
    return [*operation.inputs, *(spec.mask for spec in operation.inputs.values() if spec.mask is not None)]


def _offered(manifest: Manifest, operation: Operation, role: str) -> list[str]:
    if role == "schedule":
        return list(COLUMNS[manifest.schedule.kind]) if manifest.schedule else []
    if role == "noise":
        return list(operation.state)
    return [*(operation.params if role == "param" else readable(operation)), *operation.state]


def _lost(field: str, name: str, offered: list[str]) -> BundleError:
    return BundleError(f"{field}: nothing is called {name!r} here; there are: {', '.join(offered) or '-'}", field=field)
