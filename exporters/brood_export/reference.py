"""What the original model gives, recorded before anything is exported: single calls, and whole golden runs.

Golden runs go through the same interpreter as every other oracle (`brood.program.run_row`); only the graphs are torch
modules here. Where the original is more than its graphs in order (`ExportSpec.original`), the sample is its own. The
seeds of runs that make random decisions are chosen so that no decision is on edge: another machine's rounding cannot
turn it.
"""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from brood.program import compile_program, run_row
from brood.protocol.manifest import Graph, Manifest
from brood.runtimes.base import Arrays, LoadedGraph
from brood_export.families.base import ExportSpec, Request, StepGraph, complete_params
from brood_export.targets.base import draw_inputs, tensors

EDGE = 1e-5  # a decision whose uniform number is nearer to its edge than this may turn by rounding
ATTEMPTS = 500  # seeds tried for a golden run
CALL_SEED = 20_000  # of the random inputs: first, one more for each number of rows

Array = NDArray[np.generic]


@dataclass(frozen=True, slots=True)
class Call:
    """One call of one graph by the original."""

    graph: str
    check: Literal["random inputs", "trajectory"]
    inputs: Mapping[str, Array]  # [rows, ...]
    outputs: Mapping[str, Array]  # [rows, ...]
    margin: NDArray[np.float32]  # [rows], distance of the nearest decision from turning; 1 without decisions

    @property
    def rows(self) -> int:
        return len(self.margin)


@dataclass(frozen=True, slots=True)
class Run:
    """One golden run: a request with all its parameters, and the sample that the original makes of it."""

    request: Request
    outputs: Mapping[str, Array]  # without the rows axis


@dataclass(frozen=True, slots=True)
class Reference:
    """Everything an export is held against."""

    calls: tuple[Call, ...]
    runs: tuple[Run, ...]


class TorchGraph:
    """A `LoadedGraph` that is the original module, and remembers its calls."""

    def __init__(self, name: str, spec: Graph, graph: StepGraph) -> None:
        self.spec = spec
        self.calls: list[Call] = []
        self._name, self._graph = name, graph

    def __call__(self, inputs: Arrays) -> dict[str, Array]:
        """See `LoadedGraph`."""
        call = record(self._name, self._graph, inputs, "trajectory")
        self.calls.append(call)
        return dict(call.outputs)


def record(
    name: str, graph: StepGraph, inputs: Mapping[str, Array], check: Literal["random inputs", "trajectory"]
) -> Call:
    """Call the original once."""
    values = tensors(graph, inputs)
    with torch.no_grad():
        results = graph.module(*values)
        margin = graph.margin(*values) if graph.margin else torch.ones(len(values[0]))
    outputs = {output: result.numpy() for output, result in zip(graph.outputs, results, strict=True)}
    return Call(name, check, dict(inputs), outputs, margin.numpy())


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Sums that are split over threads round differently: the original computes with one."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def make_reference(spec: ExportSpec, manifest: Manifest) -> Reference:
    """Record the original.

    Args:
        spec: the model.
        manifest: the bundle's words; files and goldens are not looked at.

    Raises:
        ValueError: no seed was found for a golden run.
    """
    with one_thread():
        calls = [
            record(name, graph, draw_inputs(graph, rows, seed=CALL_SEED + rows), "random inputs")
            for name, graph in spec.graphs.items()
            for rows in manifest.graphs[name].buckets
        ]
        runs = []
        for request in spec.golden:
            run, trajectory = golden_run(spec, manifest, request)
            runs.append(run)
            calls += batched(trajectory, manifest)
    return Reference(tuple(calls), tuple(runs))


def golden_run(spec: ExportSpec, manifest: Manifest, request: Request) -> tuple[Run, list[Call]]:
    """The first run, from the request's seed on, without a decision on edge; and its calls, one row each."""
    program = compile_program(manifest, request.operation)
    params = complete_params(program.operation, request.params)
    for seed in range(request.seed, request.seed + ATTEMPTS):
        graphs = {name: TorchGraph(name, manifest.graphs[name], graph) for name, graph in spec.graphs.items()}
        loaded: dict[str, LoadedGraph] = dict(graphs)
        outputs = run_row(program, loaded, seed=seed, index=request.index, params=params, inputs=request.inputs)
        calls = [call for graph in graphs.values() for call in graph.calls]
        if min(float(call.margin.min()) for call in calls) >= EDGE:
            found = replace(request, seed=seed, params=params)
            return Run(found, spec.original(found) if spec.original else outputs), calls
    raise ValueError(
        f"golden {request.id!r}: in {ATTEMPTS} seeds there was always a decision within {EDGE:g} of its edge"
    )


def batched(calls: list[Call], manifest: Manifest) -> list[Call]:
    """The calls of a trajectory put together, as many as a graph takes: each step has the original's own state."""
    by_graph: dict[str, list[Call]] = defaultdict(list)
    for call in calls:
        by_graph[call.graph].append(call)
    most = {name: graph.buckets[-1] for name, graph in manifest.graphs.items()}
    return [
        joined(group[start : start + most[name]])
        for name, group in by_graph.items()
        for start in range(0, len(group), most[name])
    ]


def joined(calls: list[Call]) -> Call:
    """One call with the rows of all; all of one graph."""
    first = calls[0]
    return Call(
        first.graph,
        first.check,
        {name: np.concatenate([call.inputs[name] for call in calls]) for name in first.inputs},
        {name: np.concatenate([call.outputs[name] for call in calls]) for name in first.outputs},
        np.concatenate([call.margin for call in calls]),
    )
