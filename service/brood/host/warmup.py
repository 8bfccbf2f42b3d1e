"""Runs every graph at every bucket before the first request: warms it up, times it, and looks at its bits."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from brood.host.trace import Call, bits, usable
from brood.runtimes.base import Arrays, LoadedGraph

TIMED_ROUNDS = 8  # over all buckets, after a first one; the median counts: the quickest call finds its data in caches
TIMED_S = 0.15  # after which no further round is begun, if there have been two


@dataclass(frozen=True, slots=True)
class Warmed:
    """What warming up a graph has shown."""

    cost_s: dict[int, float]  # bucket → seconds of one call
    agreeing: frozenset[int]  # buckets at which all rows had the bits that they have in their own runs


def warm_up(graph: LoadedGraph, calls: Sequence[Call], rest: Callable[[], None] = lambda: None) -> Warmed:
    """Call a graph at all its buckets.

    Args:
        graph: to be warmed up.
        calls: of this graph; their rows fill the buckets. Without any, rows of zeros do, which agree with nothing.
        rest: called before each call that is timed, to wait for as long as the graph would wait within it.

    Raises:
        RuntimeFailed: a call failed.
    """
    good = usable(calls)
    filled = {bucket: _inputs(graph, [call.inputs for call in good], bucket) for bucket in graph.spec.buckets}
    agreeing = set()
    for bucket, inputs in filled.items():
        found = bits(graph(inputs))
        if good and all(np.array_equal(found[slot], row) for slot, row in enumerate(_expected(good, bucket))):
            agreeing.add(bucket)
    return Warmed(_timed(graph, filled, rest), frozenset(agreeing))


def _timed(graph: LoadedGraph, filled: Mapping[int, Arrays], rest: Callable[[], None]) -> dict[int, float]:
    """Seconds of a call at each bucket. Which bucket pays is decided by few per cent: all are timed in turn."""
    found: dict[int, list[float]] = {bucket: [] for bucket in filled}
    began = time.perf_counter()
    for number in range(TIMED_ROUNDS):
        if number >= 2 and time.perf_counter() - began > TIMED_S:
            break
        for bucket, inputs in filled.items():
            found[bucket].append(_seconds(graph, inputs, rest))
    return {bucket: statistics.median(seconds) for bucket, seconds in found.items()}


def _inputs(graph: LoadedGraph, rows: Sequence[Arrays], bucket: int) -> dict[str, np.ndarray]:
    if not rows:
        return {name: np.zeros((bucket, *spec.shape), spec.dtype) for name, spec in graph.spec.inputs.items()}
    places = [slot % len(rows) for slot in range(bucket)]
    return {name: np.concatenate([rows[place][name] for place in places]) for name in rows[0]}


def _expected(calls: Sequence[Call], bucket: int) -> list[np.ndarray]:
    return [bits(calls[slot % len(calls)].outputs)[0] for slot in range(bucket)]


def _seconds(graph: LoadedGraph, inputs: Arrays, rest: Callable[[], None]) -> float:
    rest()
    began = time.perf_counter()
    graph(inputs)
    return time.perf_counter() - began
