"""Runs every graph at every bucket before the first request: warms it up, times it, and compares the bits.

The rows are those of a golden request with many samples. A graph is *exact* if each row's outputs are the same bits
alone as in every bucket, in its place, with its neighbours.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from brood.engine.inputs import host_inputs, initial_state
from brood.engine.model import EngineModel
from brood.engine.rows import Row, make_job
from brood.program import FromState, Program
from brood.program.compile import ProgramStage
from brood.protocol.manifest import Manifest, Scalar
from brood.protocol.requests import Generation
from brood.runtimes.base import Arrays, LoadedGraph
from brood.runtimes.slots import HostSlots
from brood.store.golden import GoldenRun

SEED = 20250131  # of the rows used for warming up; any would do
TIMED_CALLS = 3  # of each bucket; the quickest counts, because other processes only ever add


@dataclass(slots=True)
class Measured:
    """What warming up has shown."""

    cost_s: dict[str, dict[int, float]] = field(default_factory=dict)  # graph → bucket → seconds of one call
    inexact: set[str] = field(default_factory=set)  # graphs whose bits have depended on the bucket


def warm_up(
    programs: Mapping[str, Program], graphs: Mapping[str, LoadedGraph], manifest: Manifest, golden: Sequence[GoldenRun]
) -> Measured:
    """Warm up all graphs of a model."""
    measured = Measured()
    for program in programs.values():
        if any(stage.graph not in measured.cost_s for stage in program.stages):
            _warm_up_program(program, graphs, _generation(program, manifest, golden), measured)
    return measured


def _warm_up_program(
    program: Program, graphs: Mapping[str, LoadedGraph], generation: Generation, measured: Measured
) -> None:
    """Walk the first call of every stage with as many rows as its largest bucket."""
    runtime = HostSlots(graphs, program.operation.state, generation.n)
    unit = {name: dict.fromkeys(graph.spec.buckets, 1.0) for name, graph in graphs.items()}
    job = make_job(
        generation, EngineModel(generation.model, generation.version, {program.name: program}, runtime, unit), 0
    )
    rows = [Row(job, position, position) for position in range(generation.n)]
    state = {name: np.stack(values) for name, values in initial_state(rows, program).items()}
    for number, stage in enumerate(program.stages):
        for row in rows:
            row.stage = number
            row.noise.clear()
        outputs = _measure(stage, graphs[stage.graph], _inputs(stage, rows, state), measured)
        state |= {name: outputs[output] for output, name in stage.to_state}


def _inputs(stage: ProgramStage, rows: Sequence[Row], state: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    reads = {feed.name: state[feed.source.name] for feed in stage.feeds if isinstance(feed.source, FromState)}
    return host_inputs(rows, len(rows)) | {
        feed.name: reads[feed.name].astype(feed.dtype) for feed in stage.feeds if feed.name in reads
    }


def _measure(stage: ProgramStage, graph: LoadedGraph, inputs: Arrays, measured: Measured) -> dict[str, np.ndarray]:
    """Call a graph at all its buckets; returns the outputs of all rows."""
    rows = len(next(iter(inputs.values())))
    alone = [_call(graph, inputs, row, row + 1) for row in range(rows)]
    expected = {name: np.concatenate([found[name] for found in alone]) for name in alone[0]}
    cost = {}
    for bucket in graph.spec.buckets:
        found = _call(graph, inputs, 0, bucket)
        cost[bucket] = min(_seconds(graph, inputs, bucket) for _ in range(TIMED_CALLS))
        if any(found[name].tobytes() != expected[name][:bucket].tobytes() for name in found):
            measured.inexact.add(stage.graph)
    measured.cost_s[stage.graph] = cost
    return expected


def _seconds(graph: LoadedGraph, inputs: Arrays, bucket: int) -> float:
    began = time.perf_counter()
    _call(graph, inputs, 0, bucket)
    return time.perf_counter() - began


def _call(graph: LoadedGraph, inputs: Arrays, start: int, stop: int) -> dict[str, np.ndarray]:
    return graph({name: np.ascontiguousarray(value[start:stop]) for name, value in inputs.items()})


def complete_params(program: Program, given: Mapping[str, Scalar]) -> dict[str, Scalar]:
    """Every parameter of an operation: the given ones, and the defaults of the others."""
    defaults = {name: spec.default for name, spec in program.operation.params.items() if spec.default is not None}
    return defaults | dict(given)


def _generation(program: Program, manifest: Manifest, golden: Sequence[GoldenRun]) -> Generation:
    """A request of the operation with as many samples as a bucket holds; its golden's inputs and parameters."""
    n = max(max(manifest.graphs[stage.graph].buckets) for stage in program.stages)
    example = next((run for run in golden if run.words.operation == program.name), None)
    lowest = {name: spec.minimum or 0 for name, spec in program.operation.params.items() if spec.default is None}
    params = complete_params(program, lowest | dict(example.words.params if example else {}))
    inputs = {
        name: np.broadcast_to(
            example.inputs[name] if example else np.full(spec.shape, spec.minimum or 0, spec.dtype), (n, *spec.shape)
        )
        for name, spec in program.operation.inputs.items()
    }
    return Generation("warm-up", manifest.name, manifest.version, program.name, n, SEED, 0, params, inputs, None)
