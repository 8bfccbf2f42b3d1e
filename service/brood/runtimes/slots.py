"""State belongs to the runtime: tensors that rows carry from one graph call to the next, addressed by slot.

The engine handles slot numbers only. A slot is a place for one row in every state tensor of a model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

from brood.protocol.errors import RuntimeFailed
from brood.protocol.manifest import State
from brood.runtimes.base import Arrays, LoadedGraph

Pairs = Sequence[tuple[str, str]]


class SlotRuntime(Protocol):
    """How one model runs on one device."""

    capacity: int  # slots, numbered 0 … capacity−1

    def write(self, slot: int, name: str, value: np.ndarray) -> None:
        """Set a row's state tensor (its declared shape; cast to its dtype)."""
        ...

    def read(self, slot: int, name: str) -> np.ndarray:
        """A copy of a row's state tensor."""
        ...

    def run(
        self, graph: str, slots: Sequence[int], bucket: int, host: Arrays, reads: Pairs, writes: Pairs
    ) -> dict[str, np.ndarray]:
        """Call a graph once for the rows in ``slots``.

        Args:
            graph: its name.
            slots: one for each row; at most ``bucket``.
            bucket: rows the graph is called with; those beyond ``slots`` repeat the first row and are dropped.
            host: the inputs that are not state, each ``[bucket, *shape]``.
            reads: (graph input, state) pairs.
            writes: (graph output, state) pairs, written only if the call succeeds.

        Returns:
            All graph outputs of the rows in ``slots``.

        Raises:
            RuntimeFailed: the call failed; no state has changed.
        """
        ...


class HostSlots:
    """`SlotRuntime` with its state in main memory: for every runtime that takes and gives numpy arrays."""

    def __init__(self, graphs: Mapping[str, LoadedGraph], state: Mapping[str, State], capacity: int) -> None:
        self.capacity = capacity
        self._graphs = graphs
        self._state = {name: np.zeros((capacity, *spec.shape), spec.dtype) for name, spec in state.items()}

    def write(self, slot: int, name: str, value: np.ndarray) -> None:
        self._state[name][slot] = value

    def read(self, slot: int, name: str) -> np.ndarray:
        return np.array(self._state[name][slot])

    def run(
        self, graph: str, slots: Sequence[int], bucket: int, host: Arrays, reads: Pairs, writes: Pairs
    ) -> dict[str, np.ndarray]:
        rows = len(slots)
        padded = np.asarray([*slots, *[slots[0]] * (bucket - rows)])
        inputs = {**host, **{name: self._state[state][padded] for name, state in reads}}
        outputs = self._graphs[graph](inputs)
        for name, found in outputs.items():
            if len(found) != bucket:
                raise RuntimeFailed(f"graph {graph!r} gave {len(found)} rows of {name!r} for {bucket}")
        for name, state in writes:
            self._state[state][padded[:rows]] = outputs[name][:rows]
        return {name: found[:rows] for name, found in outputs.items()}
