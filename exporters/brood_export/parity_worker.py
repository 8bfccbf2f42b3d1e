"""The fresh process of parity: loads exported graphs as the service does, and compares them with a recorded original.

    python -m brood_export.parity_worker DIRECTORY EVIDENCE RESULT

EVIDENCE holds the pickled manifest and `Reference`, written by `parity.measure_parity` a moment before; RESULT
receives the pickled tuple of `Difference`.
"""

from __future__ import annotations

import pickle
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from brood.program import compile_program, run_row
from brood.protocol.errors import RowFailed
from brood.protocol.manifest import Manifest
from brood.runtimes.base import LoadedGraph, RuntimeOptions
from brood.runtimes.load import load_graphs
from brood_export.parity import Difference, compare, run_spans, spans
from brood_export.reference import Array, Call, Reference, Run

Graphs = Mapping[str, LoadedGraph]


def differences(directory: Path, manifest: Manifest, reference: Reference) -> tuple[Difference, ...]:
    """All comparisons of one bundle."""
    graphs = load_graphs(directory, manifest, RuntimeOptions(threads=1))
    span, run_span = spans(reference), run_spans(reference)
    calls = [found for call in reference.calls for found in of_call(graphs[call.graph], call, span)]
    runs = [found for run in reference.runs for found in of_run(graphs, manifest, run, run_span)]
    return (*calls, *runs)


def of_call(graph: LoadedGraph, call: Call, span: Mapping[tuple[str, str, str], float]) -> Iterator[Difference]:
    outputs = graph(call.inputs)
    for name, expected in call.outputs.items():
        figures = compare(outputs[name], expected, span=span[call.graph, call.check, name], margin=call.margin)
        yield Difference(call.graph, call.check, name, call.rows, *figures, whole=is_whole(expected))


def of_run(graphs: Graphs, manifest: Manifest, run: Run, span: Mapping[tuple[str, str], float]) -> Iterator[Difference]:
    request = run.request
    program = compile_program(manifest, request.operation)
    try:
        outputs: Mapping[str, Array] = run_row(
            program, graphs, seed=request.seed, index=request.index, params=request.params, inputs=request.inputs
        )
    except RowFailed:  # not finite, where the original is
        outputs = {name: np.full(expected.shape, np.nan) for name, expected in run.outputs.items()}
    for name, expected in run.outputs.items():
        one = np.ones(1, np.float32)
        figures = compare(outputs[name][None], expected[None], span=span[request.operation, name], margin=one)
        yield Difference(f"golden:{request.id}", "whole run", name, 1, *figures, whole=is_whole(expected))


def is_whole(values: Array) -> bool:
    return values.dtype.kind != "f"


def main(arguments: list[str]) -> None:
    directory, evidence, result = map(Path, arguments)
    manifest, reference = pickle.loads(evidence.read_bytes())
    result.write_bytes(pickle.dumps(differences(directory, manifest, reference)))


if __name__ == "__main__":
    main(sys.argv[1:])
