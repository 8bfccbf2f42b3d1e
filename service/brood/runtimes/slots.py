"""State belongs to the runtime: tensors that rows carry from one graph call to the next, addressed by slot.

The engine handles slot numbers only. A slot is a place for one row in every state tensor of a model.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

from brood.protocol.errors import RuntimeFailed
from brood.protocol.manifest import State
from brood.runtimes.base import Arrays, DeviceGraph, LoadedGraph, Tensor, on_host
from brood.runtimes.batch import Batch, Composition
from brood.runtimes.memory import slot_bytes
from brood.runtimes.routes import Route, check_room, make_route

Pairs = Sequence[tuple[str, str]]


class SlotRuntime(Protocol):
    """How one model runs on one device. Calls for different slots may be made at once, on different threads."""

    capacity: int  # slots, numbered 0 … capacity−1
    state_bytes: int  # what the state of all slots takes at most

    def write(self, slot: int, name: str, value: np.ndarray) -> None:
        """Set a row's state tensor (its declared shape; cast to its dtype). A state that grows starts at its front."""
        ...

    def read(self, slot: int, name: str) -> np.ndarray:
        """A copy of a row's state tensor."""
        ...

    def run(
        self, graph: str, slots: Sequence[int], bucket: int, host: Arrays, reads: Pairs, writes: Pairs
    ) -> dict[str, np.ndarray]:
        """Call a graph once for the rows in ``slots``.

        Cheapest for the same slots in the same order and bucket as in an earlier call, whatever was written to them
        meanwhile; so rows should be kept in the order of their slots, and a slot that became free be taken again first.

        Args:
            graph: its name.
            slots: one for each row, all different; at most ``bucket``.
            bucket: rows the graph is called with; those beyond ``slots`` repeat the first row and are dropped.
            host: the inputs that are not state, each ``[bucket, *shape]``.
            reads: (graph input, state) pairs.
            writes: (graph output, state) pairs, written only if the call succeeds. An output of role ``append`` is
                written behind what the row's state has.

        Returns:
            The graph outputs that are not in ``writes``, of the rows in ``slots``.

        Raises:
            RuntimeFailed: the call failed, or a state that grows is full; no state has changed.
        """
        ...


class HostSlots:
    """`SlotRuntime` for every `LoadedGraph`: state at home in main memory, and in batches where rows run together.

    What a call gives stays together as it is, a `Batch`, and is the input of the next call of the same rows: nothing is
    copied, and on a device, nothing leaves it. A batch goes home when another call that changes state needs one of its
    rows. Calls that change none (previews, last stages) look rows up wherever they are.

    Slots are not renumbered to stay together as rows come and go. With rows in the order of their slots, nothing is
    left to copy at full load (5 µs a call, as if no row came or went; gathering takes 20 to 950 µs), and at partial
    load renumbering would save less than 15 µs of a call of any shipped graph (tests/bench/results/state.json).
    """

    def __init__(self, graphs: Mapping[str, LoadedGraph], state: Mapping[str, State], capacity: int) -> None:
        self.capacity = capacity
        self.state_bytes = capacity * slot_bytes(state)
        self._graphs = graphs
        self._on_device = {name: graph for name, graph in graphs.items() if isinstance(graph, DeviceGraph)}
        self._state = state
        self._home = {name: np.zeros((capacity, *spec.shape), spec.dtype) for name, spec in state.items()}
        self._counts = {name: np.zeros(capacity, np.int64) for name in state}  # slices, of states that grow
        self._batches: dict[Composition, Batch] = {}  # the least recently used first
        self._where: dict[int, Batch] = {}  # slot → its batch
        self._computing: list[Batch | None] = []  # those that graphs compute with
        self._routes: dict[tuple[str, tuple[tuple[str, str], ...]], Route] = {}
        self._lock = threading.Lock()  # free while graphs compute

    def write(self, slot: int, name: str, value: np.ndarray) -> None:
        with self._lock:
            self._home[name][slot] = value
            self._counts[name][slot] = 0
            if slot in self._where:
                self._where[slot].write(name, slot, self._home[name][slot])

    def read(self, slot: int, name: str) -> np.ndarray:
        with self._lock:
            return np.array(self._row(slot, name))

    def run(
        self, graph: str, slots: Sequence[int], bucket: int, host: Arrays, reads: Pairs, writes: Pairs
    ) -> dict[str, np.ndarray]:
        composition = (tuple(slots), bucket)
        with self._lock:
            route = self._route(graph, tuple(writes))
            batch = self._batch(composition) if writes else self._batches.get(composition)
            check_room(route.appended, self._counts, slots)
            inputs: dict[str, Tensor] = dict(host)
            for name, state in reads:
                inputs[name] = _locked(self._gathered(batch, composition, state))
            self._computing.append(batch)
        try:
            outputs = self._call(graph, inputs, route, bucket)
            if batch is not None:
                with self._lock:
                    self._keep(batch, route, outputs)
        finally:
            self._computing.remove(batch)
        return {name: on_host(found)[: len(slots)] for name, found in outputs.items() if name not in route.written}

    def _call(self, graph: str, inputs: dict[str, Tensor], route: Route, bucket: int) -> Mapping[str, Tensor]:
        outputs: Mapping[str, Tensor]
        if graph in self._on_device:
            outputs = self._on_device[graph].on_device(inputs, route.stay)
        else:
            outputs = self._graphs[graph]({name: on_host(tensor) for name, tensor in inputs.items()})
        for name, found in outputs.items():
            if found.shape[0] != bucket:
                raise RuntimeFailed(f"graph {graph!r} gave {found.shape[0]} rows of {name!r} for {bucket}")
        return outputs

    def _keep(self, batch: Batch, route: Route, outputs: Mapping[str, Tensor]) -> None:
        """Take in what a call gave. Nothing here can fail, so that a call changes all of its state or none."""
        for output, name in route.replaced:
            tensor = outputs[output]
            batch.replace(name, tensor if output in route.stay else on_host(tensor).astype(self._state[name].dtype))
        for append in route.appended:
            batch.gather(append.state, self._home[append.state])
            batch.append(append, on_host(outputs[append.output]), self._counts[append.state])

    def _gathered(self, batch: Batch | None, composition: Composition, name: str) -> Tensor:
        """A state as the input of a call, ``[bucket, *shape]``."""
        if batch is not None:
            return batch.gather(name, self._home[name])
        slots, bucket = composition
        rows = [self._row(slot, name) for slot in slots]
        return np.stack([*rows, *rows[:1] * (bucket - len(rows))])

    def _row(self, slot: int, name: str) -> np.ndarray:
        """A row's state where it is."""
        batch = self._where.get(slot)
        if batch is not None and name in batch.newer:
            return batch.read(name, slot)
        return np.asarray(self._home[name][slot])

    def _batch(self, composition: Composition) -> Batch:
        """The batch of these rows, taken out of all others if it is new."""
        batch = self._batches.pop(composition, None)
        if batch is None:
            slots = composition[0]
            for slot in slots:
                if slot in self._where:
                    self._dissolve(self._where[slot])
            batch = Batch(composition)
            self._where.update(dict.fromkeys(slots, batch))
        self._batches[composition] = batch
        busy = (batch, *self._computing)
        while sum(held.bucket for held in self._batches.values()) > self.capacity:
            oldest = next((held for held in self._batches.values() if held not in busy), None)
            if oldest is None:
                break
            self._dissolve(oldest)
        return batch

    def _dissolve(self, batch: Batch) -> None:
        for name in batch.newer:
            batch.scatter(name, self._home[name])
        for slot in batch.slots:
            del self._where[slot]
        del self._batches[batch.composition]

    def _route(self, graph: str, writes: tuple[tuple[str, str], ...]) -> Route:
        if (graph, writes) not in self._routes:
            self._routes[graph, writes] = make_route(self._graphs[graph].spec, self._state, writes)
        return self._routes[graph, writes]


def _locked(tensor: Tensor) -> Tensor:
    """The tensor for a graph to read: one whose code would change its inputs gets a copy or an error."""
    if isinstance(tensor, np.ndarray):
        tensor = tensor.view()
        tensor.flags.writeable = False
    return tensor
