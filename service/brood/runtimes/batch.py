"""A batch: rows whose state lies together, as a graph call takes it and gives it."""

from __future__ import annotations

import numpy as np

from brood.runtimes.base import Tensor, on_host
from brood.runtimes.routes import Append

Composition = tuple[tuple[int, ...], int]  # slots in their order, bucket


class Batch:
    """The state of some slots, each tensor ``[bucket, *shape]``; rows beyond the slots repeat the first."""

    def __init__(self, composition: Composition) -> None:
        self.composition = composition
        self.slots, self.bucket = composition
        self.tensors: dict[str, Tensor] = {}
        self.newer: set[str] = set()  # states of which the slots' homes have an older value
        self._rows = len(self.slots)
        self._from = _places(self.slots + self.slots[:1] * (self.bucket - self._rows))
        self._to = _places(self.slots)

    def gather(self, name: str, home: np.ndarray) -> Tensor:
        """A state of all rows. What is not here is taken from home: without a copy if it lies there just like this."""
        if name not in self.tensors:
            self.tensors[name] = home[self._from]
        return self.tensors[name]

    def scatter(self, name: str, home: np.ndarray) -> None:
        """Bring a state of all rows home."""
        tensor = on_host(self.tensors[name])
        if not np.may_share_memory(tensor, home):
            home[self._to] = tensor[: self._rows]

    def read(self, name: str, slot: int) -> np.ndarray:
        """One row's state, which is here."""
        row: np.ndarray = on_host(self.tensors[name])[self.slots.index(slot)]
        return row

    def write(self, name: str, slot: int, value: np.ndarray) -> None:
        """Set one row's state, if it is here."""
        if name in self.tensors:
            tensor, place = self._writable(name), self.slots.index(slot)
            tensor[place] = value
            if place == 0:
                tensor[self._rows :] = value

    def replace(self, name: str, tensor: Tensor) -> None:
        """Set a state of all rows."""
        self.tensors[name] = tensor
        self.newer.add(name)

    def append(self, append: Append, found: np.ndarray, counts: np.ndarray) -> None:
        """Write slices behind those that the rows have.

        Args:
            append: to which state, along which axis.
            found: the slices, ``[bucket, …, more, …]``.
            counts: how many slices each slot has, ``[capacity]``; counted on.
        """
        state, more = np.moveaxis(self._writable(append.state), append.axis, 1), np.moveaxis(found, append.axis, 1)
        starts = counts[self._to].tolist()
        for place, start in enumerate(starts):
            state[place, start : start + append.more] = more[place]
        state[self._rows :, starts[0] : starts[0] + append.more] = more[0]
        counts[self._to] += append.more
        self.newer.add(append.state)

    def _writable(self, name: str) -> np.ndarray:
        tensor = self.tensors[name]
        if not isinstance(tensor, np.ndarray):
            tensor = self.tensors[name] = np.array(tensor.numpy())
        return tensor


def _places(slots: tuple[int, ...]) -> slice | np.ndarray:
    """Slots as an index, which makes no copy if they ascend one by one."""
    run = range(slots[0], slots[0] + len(slots))
    return slice(run.start, run.stop) if slots == tuple(run) else np.array(slots)
