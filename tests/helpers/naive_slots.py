"""What `HostSlots` must equal bit for bit: state that is gathered before every call and scattered after it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from brood.protocol.errors import RuntimeFailed
from brood.protocol.manifest import State
from brood.runtimes.base import Arrays, LoadedGraph
from brood.runtimes.memory import slot_bytes
from brood.runtimes.slots import Pairs


class NaiveSlots:
    """A `SlotRuntime` in 30 lines."""

    def __init__(self, graphs: Mapping[str, LoadedGraph], state: Mapping[str, State], capacity: int) -> None:
        self.capacity = capacity
        self.state_bytes = capacity * slot_bytes(state)
        self._graphs = graphs
        self._state = {name: np.zeros((capacity, *spec.shape), spec.dtype) for name, spec in state.items()}
        self._counts = Counter[tuple[str, int]]()

    def write(self, slot: int, name: str, value: np.ndarray) -> None:
        self._state[name][slot] = value
        self._counts[name, slot] = 0

    def read(self, slot: int, name: str) -> np.ndarray:
        return np.array(self._state[name][slot])

    def run(
        self, graph: str, slots: Sequence[int], bucket: int, host: Arrays, reads: Pairs, writes: Pairs
    ) -> dict[str, np.ndarray]:
        padded = [*slots, *[slots[0]] * (bucket - len(slots))]
        spec = self._graphs[graph].spec
        for output, name in writes:
            axis = spec.outputs[output].axis
            if axis is not None:
                length, more = self._state[name].shape[axis + 1], spec.outputs[output].shape[axis]
                if any(self._counts[name, slot] + more > length for slot in slots):
                    raise RuntimeFailed(f"state {name!r} is full: {length} along axis {axis}")
        outputs = self._graphs[graph]({**host, **{name: self._state[state][padded] for name, state in reads}})
        for output, name in writes:
            axis, found = spec.outputs[output].axis, outputs[output]
            if axis is None:
                self._state[name][slots] = found[: len(slots)]
            else:
                for place, slot in enumerate(slots):
                    self._append(name, slot, found[place], axis)
        written = {output for output, _ in writes}
        return {name: found[: len(slots)] for name, found in outputs.items() if name not in written}

    def _append(self, name: str, slot: int, more: np.ndarray, axis: int) -> None:
        start = self._counts[name, slot]
        self._counts[name, slot] += more.shape[axis]
        grown = np.moveaxis(self._state[name][slot], axis, 0)
        grown[start : self._counts[name, slot]] = np.moveaxis(more, axis, 0)
