"""What could be in the next call of each group: rows that have begun, and requests with rows to begin."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from operator import attrgetter

from brood.engine.model import EngineModel, Group
from brood.engine.rows import Row
from brood.engine.waiting import Waiting
from brood.protocol.requests import Priority

PRIORITIES: dict[Priority, float] = {"interactive": 16.0, "bulk": 1.0}  # class → its weight, if both want the device
RESERVE = 4  # so many parts of the slots are there, one of which only interactive rows may take


class Places:
    """The slots of one model."""

    def __init__(self, capacity: int) -> None:
        self._free = list(range(capacity))[::-1]
        self._capacity = capacity
        self._left: dict[Priority, int] = {"interactive": capacity, "bulk": capacity - capacity // RESERVE}

    @property
    def unused(self) -> bool:
        """Whether no row has a slot."""
        return len(self._free) == self._capacity

    def free(self, priority: Priority) -> int:
        """How many rows of this class could begin."""
        return min(len(self._free), self._left[priority])

    def take(self, priority: Priority) -> int:
        """A slot that was free, for a row of this class."""
        self._left[priority] -= 1
        return self._free.pop()

    def give_back(self, slot: int, priority: Priority) -> None:
        """It is free again."""
        self._left[priority] += 1
        self._free.append(slot)


_order = attrgetter("order")


class GroupQueue:
    """The rows of one group."""

    def __init__(self, group: Group, model: EngineModel, places: Places) -> None:
        self.group, self.model, self.places = group, model, places
        self.ready: list[Row] = []  # begun, in the order of their beginning: they continue together
        self.waiting: dict[Priority, Waiting] = {priority: Waiting() for priority in PRIORITIES}

    @property
    def cap(self) -> int:
        """The most rows worth a call."""
        return self.model.costs.cap(self.group.graph)

    def could_begin(self, priority: Priority) -> int:
        """How many rows of a class could begin now."""
        return min(self.waiting[priority].rows, self.places.free(priority))

    def available(self) -> int:
        """How many rows could be in the next call."""
        beginning = sum(self.could_begin(priority) for priority in PRIORITIES)
        return len(self.ready) + min(beginning, self.places.free("interactive"))

    def soon(self, places: int) -> list[Row]:
        """Rows that will probably begin in the next call, which has so many places; nothing is decided by it."""
        jobs = (job for waiting in self.waiting.values() for job in waiting.soon(places))
        rows = (job.coming(offset) for job in jobs for offset in range(job.rows_open))
        return list(islice(rows, places))

    def put(self, rows: Sequence[Row]) -> None:
        """Rows that have begun can go on."""
        self.ready += rows
        self.ready.sort(key=_order)
