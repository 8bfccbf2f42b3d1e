"""Examples made alone, by the reference interpreter, with every graph call on record."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from brood.host.examples import Example
from brood.program import run_row
from brood.runtimes.base import Arrays, LoadedGraph

KEPT = 128  # calls of a graph in one run, at most, whose inputs are kept: a cache of every step would fill the memory


@dataclass(frozen=True, slots=True)
class Call:
    """What a graph was given for one row, and what it gave."""

    graph: str
    inputs: Arrays  # each [1, *shape]; none, where they were not kept
    outputs: Arrays  # each [1, *shape]
    ok: bool  # whether the row was finite


@dataclass(frozen=True, slots=True)
class Run:
    """How one example was made."""

    example: Example
    calls: Sequence[Call]
    outputs: Mapping[str, np.ndarray]  # of the operation, without the rows axis


class Traced:
    """A `LoadedGraph` that takes one row, runs it at some bucket, and notes the call.

    Args:
        name: of the graph.
        graph: runs it.
        bucket: all of its rows are the given one.
        calls: where calls are noted.
    """

    def __init__(self, name: str, graph: LoadedGraph, bucket: int, calls: list[Call]) -> None:
        self.spec = graph.spec
        self._name, self._graph, self._bucket, self._calls = name, graph, bucket, calls
        self._ok = next((output for output, spec in graph.spec.outputs.items() if spec.role == "ok"), None)
        self._number, self._stride = 0, 1  # of calls; of every so many, one keeps its inputs
        self._kept: list[int] = []  # places of those in `calls`

    def __call__(self, inputs: Arrays) -> dict[str, np.ndarray]:
        """See `LoadedGraph`."""
        found = self._graph({name: np.repeat(value, self._bucket, axis=0) for name, value in inputs.items()})
        outputs = {name: np.array(value[:1]) for name, value in found.items()}
        ok = self._ok is None or bool(outputs[self._ok][0])
        kept = self._number % self._stride == 0
        if kept:
            self._kept.append(len(self._calls))
        self._calls.append(Call(self._name, inputs if kept else {}, outputs, ok))
        self._number += 1
        if len(self._kept) > KEPT:
            self._thin_out()
        return outputs

    def _thin_out(self) -> None:
        """Every second call that has kept its inputs gives them up."""
        for place in self._kept[1::2]:
            self._calls[place] = replace(self._calls[place], inputs={})
        self._kept, self._stride = self._kept[::2], 2 * self._stride


def trace(example: Example, graphs: Mapping[str, LoadedGraph], at: Mapping[str, int]) -> Run:
    """Make one sample.

    Args:
        example: which.
        graphs: the bundle's loaded graphs.
        at: graph → the bucket it runs at.

    Raises:
        RowFailed: the network's output was not finite.
        RuntimeFailed: a graph call failed.
    """
    calls: list[Call] = []
    traced = {name: Traced(name, graph, at[name], calls) for name, graph in graphs.items()}
    outputs = run_row(
        example.program,
        traced,
        seed=example.seed,
        index=example.index,
        params=example.params,
        inputs=example.inputs,
    )
    return Run(example, calls, outputs)


def usable(calls: Iterable[Call]) -> list[Call]:
    """Those that can be made again: their rows were finite, and what they were given was kept."""
    return [call for call in calls if call.ok and call.inputs]


def bits(outputs: Arrays) -> np.ndarray:
    """All outputs of a call as bytes, ``[rows, bytes of one row]``."""
    rows = len(next(iter(outputs.values())))
    columns = [np.ascontiguousarray(outputs[name]).reshape(rows, -1).view(np.uint8) for name in sorted(outputs)]
    return np.concatenate(columns, axis=1)


def numerics_id(runs: Iterable[Run]) -> str:
    """A name for all the bits that graphs gave in these runs; empty if there are none."""
    digest = hashlib.sha256()
    calls = [call for run in runs for call in run.calls]
    for call in calls:
        digest.update(call.graph.encode() + b"\0")
        digest.update(bits(call.outputs).data)
    return digest.hexdigest()[:16] if calls else ""
