"""Where the outputs of a graph go: which replace a state, which are appended to one, which are for the caller."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from brood.protocol.errors import RuntimeFailed
from brood.protocol.manifest import Graph, State


@dataclass(frozen=True, slots=True)
class Append:
    """An output that is written behind what a state has already."""

    output: str
    state: str
    axis: int  # of the state's tensor, rows axis included
    more: int  # slices along it that one call adds
    length: int  # slices along it that there is room for


@dataclass(frozen=True, slots=True)
class Route:
    """The state that one kind of call changes."""

    replaced: tuple[tuple[str, str], ...]  # (graph output, state)
    appended: tuple[Append, ...]
    stay: frozenset[str]  # outputs that may stay where the graph made them
    written: frozenset[str]  # outputs that go to state, all of them


def make_route(spec: Graph, state: Mapping[str, State], writes: Iterable[tuple[str, str]]) -> Route:
    """Sort out the writes of a call.

    Raises:
        RuntimeFailed: an output does not fit the state it goes to.
    """
    pairs = tuple(writes)
    appended = tuple(_append(spec, state, *pair) for pair in pairs if spec.outputs[pair[0]].axis is not None)
    replaced = tuple(pair for pair in pairs if spec.outputs[pair[0]].axis is None)
    for output, name in replaced:
        _fit(spec, output, spec.outputs[output].shape, name, state[name].shape)
    stay = frozenset(output for output, name in replaced if spec.outputs[output].dtype == state[name].dtype)
    return Route(replaced, appended, stay, frozenset(output for output, _ in pairs))


def _append(spec: Graph, state: Mapping[str, State], output: str, name: str) -> Append:
    found, shape = spec.outputs[output], state[name].shape
    axis = found.axis or 0
    if axis >= len(shape):
        raise RuntimeFailed(f"graph output {output!r} appends along axis {axis}, state {name!r} is {list(shape)}")
    _fit(spec, output, found.shape, name, (*shape[:axis], found.shape[axis], *shape[axis + 1 :]))
    return Append(output, name, axis + 1, found.shape[axis], shape[axis])


def _fit(spec: Graph, output: str, found: tuple[int, ...], name: str, wanted: tuple[int, ...]) -> None:
    if found != wanted:
        raise RuntimeFailed(f"graph output {output!r} is {list(found)}, but state {name!r} takes {list(wanted)}")


def check_room(appended: Iterable[Append], counts: Mapping[str, np.ndarray], slots: Sequence[int]) -> None:
    """Refuse a call that would run over the end of a state.

    Args:
        appended: what the call appends.
        counts: state → how many slices each slot has already, ``[capacity]``.
        slots: of the call's rows.

    Raises:
        RuntimeFailed: some row has no room for one more call.
    """
    for append in appended:
        if counts[append.state][list(slots)].max() + append.more > append.length:
            raise RuntimeFailed(f"state {append.state!r} is full: {append.length} along axis {append.axis - 1}")
