"""Do a row's bits depend on the call it is made in? Tried out, graph by graph and bucket by bucket.

Probe rows, taken from golden and drawn samples, stand in every slot of the bucket, next to each other, next to rows
with extreme numbers, in other orders, as padded batches, and again. A bucket is *consistent* if each probe always has
the same bits; two buckets are *equal* if both are consistent and their probes have the same bits.

Many different rows matter more than many calls: where the work of a call is split between threads, say, a kernel may
treat the row at the border differently, and that shows in the last bit of one row in ten.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from brood.host.trace import Call, bits, usable
from brood.protocol.errors import BroodError
from brood.runtimes.base import LoadedGraph

PROBES = 64  # at most, of each graph
FEW_TURNS = 8  # so many different probes in each slot; all of them are `PROBES`
REPEATS = 3
# Neighbours: large, tiny (subnormal where squared), of the other sign, and rows that have come out non-finite.
EXTREMES = (1e4, 1e-30, -1.0, float("nan"), float("inf"))
TENSORS = frozenset({"state", "noise", "input"})  # roles whose numbers are made extreme; others index or scale

Bits = Mapping[int, str]  # bucket → name of the probes' bits; empty: not consistent


@dataclass(frozen=True, slots=True)
class Trial:
    """What trying one graph has shown."""

    bits: Bits
    seconds: float


def try_graph(graph: LoadedGraph, calls: Sequence[Call], turns: int) -> Trial:
    """Try all buckets of a graph.

    Args:
        graph: to be tried.
        calls: of this graph, from which probes are chosen. Without any, no bucket is consistent.
        turns: how many different probes stand in each slot, at least.
    """
    began = time.perf_counter()
    probes = _chosen(calls)
    rows = _rows(graph, probes) if probes else {}
    found = {}
    for bucket in graph.spec.buckets:
        arrangements = _arrangements(bucket, len(probes), turns) if probes else ()
        found[bucket] = _bits_at(graph, rows, len(probes), arrangements)
    return Trial(found, time.perf_counter() - began)


def exact_buckets(trials: Sequence[Bits]) -> tuple[int, ...]:
    """The largest class of equal buckets; of several that large, the one with the largest bucket.

    One bucket of many is no class: nothing has shown that its bits are the row's and not the call's.

    Args:
        trials: of one graph in one process or more; buckets must be consistent, and have the same bits, in all.
    """
    classes: dict[str, list[int]] = {}
    for bucket, name in trials[0].items():
        if name and all(other[bucket] == name for other in trials):
            classes.setdefault(name, []).append(bucket)
    found = max(classes.values(), default=[], key=lambda buckets: (len(buckets), max(buckets)))
    return tuple(sorted(found)) if len(found) > 1 or len(found) == len(trials[0]) else ()


def _chosen(calls: Sequence[Call]) -> list[Call]:
    """Probes, evenly from all calls that can be made again."""
    good = usable(calls)
    places = np.linspace(0, len(good) - 1, min(PROBES, len(good))).round().astype(int)
    return [good[place] for place in places]


def _rows(graph: LoadedGraph, probes: Sequence[Call]) -> dict[str, np.ndarray]:
    """Every input for all probes, then for all of them at the first extreme, at the second, …"""
    rows = {}
    for name, spec in graph.spec.inputs.items():
        plain = np.concatenate([call.inputs[name] for call in probes])
        extreme = spec.role in TENSORS and plain.dtype.kind == "f"
        rows[name] = np.concatenate([plain, *[_scaled(plain, factor) if extreme else plain for factor in EXTREMES]])
    return rows


def _scaled(numbers: np.ndarray, factor: float) -> np.ndarray:
    with np.errstate(all="ignore"):  # float16 may overflow, and 0·∞ is not a number: extreme enough
        return np.asarray(numbers * numbers.dtype.type(factor))


def _arrangements(bucket: int, probes: int, turns: int) -> Iterator[np.ndarray]:
    """Which row stands in which slot: numbers of rows, of which those below ``probes`` are probes."""
    slots = np.arange(bucket)
    turned = np.linspace(0, probes - 1, min(turns, probes)).round().astype(int).tolist()
    for turn in sorted({*range(0, probes, bucket), *turned}):  # each probe in some slot, and the turned in all
        yield (slots + turn) % probes
    for _ in range(REPEATS - 1):
        yield slots % probes
    yield slots[::-1] % probes
    yield np.zeros(bucket, np.int64)  # padding repeats the first row
    for number in range(len(EXTREMES)):
        neighbours = (number + 1) * probes + slots % probes
        yield np.where((slots + number) % 2 == 0, (slots // 2 + number) % probes, neighbours)


def _bits_at(
    graph: LoadedGraph, rows: Mapping[str, np.ndarray], probes: int, arrangements: Iterable[np.ndarray]
) -> str:
    """The name of the probes' bits; empty if a probe had others in another arrangement, or none at all."""
    expected: dict[int, bytes] = {}
    for arrangement in arrangements:
        try:
            found = bits(graph({name: array[arrangement] for name, array in rows.items()}))
        except BroodError:
            continue  # a neighbour that makes the call fail is taken out of it by the engine
        for slot, row in enumerate(arrangement.tolist()):
            if row < probes and expected.setdefault(row, found[slot].tobytes()) != found[slot].tobytes():
                return ""
    if not 0 < probes == len(expected):
        return ""
    return hashlib.sha256(b"".join(expected[probe] for probe in range(probes))).hexdigest()[:16]
