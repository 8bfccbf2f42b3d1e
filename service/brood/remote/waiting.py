"""Pieces of requests that no worker can take right now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from brood.protocol.errors import Overloaded
from brood.remote.job import RemoteJob
from brood.remote.link import Errand
from brood.remote.options import RemoteOptions
from brood.remote.status import ModelKey

RETRY_S = 1.0  # who finds the waiting room full may try again after so long


@dataclass(frozen=True, slots=True)
class Held:
    """Requests of one model that wait at this ingress because no worker has it ready."""

    requests: int
    rows: int
    oldest_s: float  # how long the first of them has waited


@dataclass(slots=True)
class Parked:
    """A piece that waits."""

    job: RemoteJob
    errand: Errand
    since: float  # seconds on the backend's clock
    not_before: float  # trying earlier is of no use, unless something changes
    nobody: bool  # because no worker has the model, rather than because all are busy

    @property
    def key(self) -> ModelKey:
        """Its model."""
        return self.job.generation.model, self.job.generation.version


class WaitingRoom:
    """Holds them in order of arrival; bounded for requests that no worker has accepted yet."""

    def __init__(self, options: RemoteOptions) -> None:
        self._options = options
        self._parked: list[Parked] = []

    def __len__(self) -> int:
        return len(self._parked)

    def __iter__(self) -> Iterator[Parked]:
        return iter(self._parked)

    def park(self, parked: Parked) -> None:
        """Let a piece wait.

        Raises:
            Overloaded: too many wait, or too large ones.
        """
        if not parked.job.patient:
            self._check_room(parked.job)
        self._parked.append(parked)
        parked.job.waiting += 1

    def take_all(self) -> list[Parked]:
        """Those whose requests are not over; they wait no more."""
        taken, self._parked = self._parked, []
        for parked in taken:
            parked.job.waiting -= 1
        return [parked for parked in taken if not parked.job.over]

    def drop(self, job: RemoteJob) -> None:
        """A request is over."""
        if job.waiting:
            self._parked = [parked for parked in self._parked if parked.job is not job]
            job.waiting = 0

    def held(self, now: float) -> Mapping[str, Held]:
        """What waits because no worker has its model, by name of the model."""
        found: dict[str, list[Parked]] = {}
        for parked in self._parked:
            if parked.nobody:
                found.setdefault(parked.key[0], []).append(parked)
        return {
            name: Held(
                len({id(each.job) for each in parked}),
                sum(each.errand.piece.rows for each in parked),
                now - min(each.since for each in parked),
            )
            for name, parked in found.items()
        }

    def _check_room(self, job: RemoteJob) -> None:
        held = {id(parked.job): parked.job for parked in self._parked if not parked.job.open}
        if len(held) >= self._options.max_held:
            raise _full(f"{len(held)} requests wait for a worker already")
        size = sum(map(_input_bytes, [*held.values(), job]))
        if size > self._options.max_held_bytes:
            raise _full(f"the inputs of requests that wait for a worker would take {size} bytes")


def _input_bytes(job: RemoteJob) -> int:
    return sum(array[:1].nbytes if array.strides[0] == 0 else array.nbytes for array in job.generation.inputs.values())


def _full(reason: str) -> Overloaded:
    return Overloaded(f"{reason}; try again in {RETRY_S:g} s", retry_after_s=RETRY_S)
