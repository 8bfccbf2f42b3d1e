"""What a policy is to the simulation, and what is noted of what it does."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from brood.protocol.errors import BroodError
from brood.simulation.traces import Arrival


class Outcomes:
    """What became of every request of a trace, by its number."""

    def __init__(self, trace: Sequence[Arrival]) -> None:
        self.trace = trace
        self.started = [math.nan] * len(trace)  # seconds; when its first row began
        self.ended = [math.nan] * len(trace)  # seconds; when its last row was finished
        self.failed: dict[int, str] = {}  # of those not finished: number → kind of error
        self.until = 0.0  # seconds; when the last call ended

    def finish(self, number: int, started: float, ended: float) -> None:
        """A request is finished."""
        self.started[number], self.ended[number] = started, ended

    def fail(self, number: int, error: BroodError) -> None:
        """A request was refused, or has failed."""
        self.failed[number] = type(error).__name__


@dataclass(slots=True)
class Tally:
    """What a device did."""

    calls: int = 0
    steps: int = 0  # of rows that needed them
    places: int = 0  # so many there would have been, had every call been as full as pays
    busy_s: float = 0.0

    def count(self, calls: int, steps: int, places: int, seconds: float) -> None:
        """Some calls were made."""
        self.calls += calls
        self.steps += steps
        self.places += places
        self.busy_s += seconds


class Server(Protocol):
    """One device under some policy. All times are of the virtual clock, in seconds."""

    tally: Tally

    @property
    def wake_at(self) -> float | None:
        """If there was nothing to begin: when there will be, even if nobody comes."""
        ...

    @property
    def backlog_s(self) -> float:
        """Predicted seconds of all that was let in and is not yet made."""
        ...

    def submit(self, number: int, arrival: Arrival) -> None:
        """A request comes, now.

        Raises:
            BroodError: it is refused.
        """
        ...

    def begin(self, now: float) -> float | None:
        """Begin the next call; the seconds it takes, or None if there is none to make now."""
        ...

    def end(self, now: float) -> None:
        """The call that was begun ends."""
        ...
