"""Runs every graph at every bucket before the first request: warms it up, times it, and looks at its bits."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from brood.host.trace import Call, bits
from brood.runtimes.base import Arrays, LoadedGraph

TIMED_CALLS = 2  # of each bucket, after a first one; the quickest counts, because other processes only ever add


@dataclass(frozen=True, slots=True)
class Warmed:
    """What warming up a graph has shown."""

    cost_s: dict[int, float]  # bucket → seconds of one call
    agreeing: frozenset[int]  # buckets at which all rows had the bits that they have in their own runs


def warm_up(graph: LoadedGraph, calls: Sequence[Call]) -> Warmed:
    """Call a graph at all its buckets.

    Args:
        graph: to be warmed up.
        calls: of this graph; their rows fill the buckets. Without any, rows of zeros do, which agree with nothing.

    Raises:
        RuntimeFailed: a call failed.
    """
    cost, agreeing = {}, set()
    good = [call for call in calls if call.ok]
    for bucket in graph.spec.buckets:
        inputs = _inputs(graph, [call.inputs for call in good], bucket)
        found = bits(graph(inputs))
        cost[bucket] = min(_seconds(graph, inputs) for _ in range(TIMED_CALLS))
        if good and all(np.array_equal(found[slot], row) for slot, row in enumerate(_expected(good, bucket))):
            agreeing.add(bucket)
    return Warmed(cost, frozenset(agreeing))


def _inputs(graph: LoadedGraph, rows: Sequence[Arrays], bucket: int) -> dict[str, np.ndarray]:
    if not rows:
        return {name: np.zeros((bucket, *spec.shape), spec.dtype) for name, spec in graph.spec.inputs.items()}
    places = [slot % len(rows) for slot in range(bucket)]
    return {name: np.concatenate([rows[place][name] for place in places]) for name in rows[0]}


def _expected(calls: Sequence[Call], bucket: int) -> list[np.ndarray]:
    return [bits(calls[slot % len(calls)].outputs)[0] for slot in range(bucket)]


def _seconds(graph: LoadedGraph, inputs: Arrays) -> float:
    began = time.perf_counter()
    graph(inputs)
    return time.perf_counter() - began
