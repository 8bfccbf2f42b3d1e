"""From a bundle on disk to a model the engine can run: verify → load → gate → warm up → ready."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from brood.engine.model import EngineModel
from brood.host.warmup import Measured, complete_params, warm_up
from brood.program import Program, compile_program, run_row
from brood.protocol.errors import BundleError
from brood.protocol.events import Determinism
from brood.protocol.manifest import Manifest, State
from brood.runtimes.base import LoadedGraph, RuntimeOptions
from brood.runtimes.load import load_graphs
from brood.runtimes.slots import HostSlots
from brood.store.golden import GoldenRun
from brood.store.store import Bundle

SLOTS_PER_BUCKET = 2  # rows may wait between stages while another full batch runs


@dataclass(frozen=True, slots=True)
class ReadyModel:
    """A model that has earned its readiness."""

    engine: EngineModel
    determinism: Mapping[str, Determinism]  # operation → guarantee here


def load_model(bundle: Bundle, options: RuntimeOptions) -> ReadyModel:
    """Load, check and warm up one verified bundle.

    Raises:
        BundleError: a graph does not load, a name leads nowhere, or a golden sample comes out differently.
    """
    manifest = bundle.manifest
    graphs = load_graphs(bundle.directory, manifest, options)
    programs = {name: compile_program(manifest, name) for name in manifest.operations}
    golden = bundle.golden()
    for operation in programs:
        first = next((run for run in golden if run.words.operation == operation), None)
        if first is not None:
            gate(programs[operation], graphs, first)
    capacity = SLOTS_PER_BUCKET * max(max(graph.buckets) for graph in manifest.graphs.values())
    runtime = HostSlots(graphs, model_state(manifest), capacity)
    measured = warm_up(programs, graphs, manifest, golden)
    engine = EngineModel(manifest.name, manifest.version, programs, runtime, measured.cost_s)
    return ReadyModel(engine, {name: _determinism(program, measured) for name, program in programs.items()})


def gate(program: Program, graphs: Mapping[str, LoadedGraph], run: GoldenRun) -> float:
    """Repeat a golden run with the reference interpreter.

    Returns:
        The largest absolute difference from what the original model gave.

    Raises:
        BundleError: it is over the golden's tolerance.
    """
    golden = run.words
    outputs = run_row(
        program,
        graphs,
        seed=golden.seed,
        index=golden.index,
        params=complete_params(program, golden.params),
        inputs=run.inputs,
    )
    difference = max(_difference(outputs[name], expected) for name, expected in run.outputs.items())
    if not difference <= golden.tolerance:
        raise BundleError(
            f"golden {golden.id!r} of {program.name!r}: off by {difference:.3g}, tolerance {golden.tolerance:.3g}",
            field=f"golden.{golden.id}",
        )
    return difference


def _difference(found: np.ndarray, expected: np.ndarray) -> float:
    """The largest absolute difference; NaN if either has one, so that no comparison passes."""
    return float(np.abs(np.asarray(found, np.float64) - np.asarray(expected, np.float64)).max(initial=0.0))


def model_state(manifest: Manifest) -> dict[str, State]:
    """All state tensors of a model; operations share one that has the same name.

    Raises:
        BundleError: two operations mean different tensors by one name.
    """
    found: dict[str, State] = {}
    for name, operation in manifest.operations.items():
        for state, spec in operation.state.items():
            before = found.setdefault(state, spec)
            if (before.dtype, before.shape) != (spec.dtype, spec.shape):
                raise BundleError(
                    f"operations.{name}.state.{state}: {spec.dtype}{list(spec.shape)}, but another operation has "
                    f"{before.dtype}{list(before.shape)} under that name",
                    field=f"operations.{name}.state.{state}",
                )
    return found


def _determinism(program: Program, measured: Measured) -> Determinism:
    if not any(stage.graph in measured.inexact for stage in program.stages):
        return "exact"
    return "tolerance" if program.manifest.domain == "continuous" else "none"
