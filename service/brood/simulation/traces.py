"""When requests come: drawn from a process, or read from a file."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError

from brood.loadgen.arrivals import Bursts, bursty
from brood.loadgen.mix import complaint
from brood.protocol.errors import InvalidArgument, invalid
from brood.simulation.kinds import Kind, Part, Words


@dataclass(frozen=True, slots=True)
class Arrival:
    """A request comes."""

    at: float  # seconds
    kind: Kind
    params: str = ""  # its other parameters: only where whole requests are batched do they make a difference


class Load(Protocol):
    """Requests that could come at any rate."""

    @property
    def shares(self) -> Mapping[Kind, float]:
        """Kind → its part of all requests."""
        ...

    @property
    def rate(self) -> float | None:
        """Requests a second, if there is a rate of its own."""
        ...

    def at(self, rate: float) -> list[Arrival]:
        """The trace at so many requests a second; made of the same random numbers at every rate."""
        ...


@dataclass(frozen=True, slots=True)
class Drawn:
    """A `Load`: independent arrivals, or bursts of them."""

    mix: Sequence[Part]
    count: int  # of requests
    seed: int
    bursts: Bursts | None = None
    rate = None

    @property
    def shares(self) -> Mapping[Kind, float]:
        """See `Load`."""
        return _total((part.kind, part.share) for part in self.mix)

    def at(self, rate: float) -> list[Arrival]:
        """See `Load`."""
        rng = np.random.default_rng(self.seed)
        parts = rng.choice(len(self.mix), self.count, p=[part.share for part in self.mix]).tolist()
        params = rng.random(self.count).tolist()
        bursts = self.bursts
        times = poisson(rate, self.count, rng) if bursts is None else bursty(rate, self.count, bursts, rng)
        return [
            Arrival(at, self.mix[part].kind, str(int(param * self.mix[part].variants)))
            for at, part, param in zip(times.tolist(), parts, params, strict=True)
        ]


@dataclass(frozen=True, slots=True)
class Recorded:
    """A `Load`: arrivals that were, quicker or slower one after another."""

    trace: Sequence[Arrival]

    @property
    def shares(self) -> Mapping[Kind, float]:
        """See `Load`."""
        return _total((arrival.kind, 1.0 / len(self.trace)) for arrival in self.trace)

    @property
    def rate(self) -> float:
        """See `Load`.

        Raises:
            InvalidArgument: all come at once.
        """
        last = self.trace[-1].at
        if last <= 0:
            raise invalid("trace", f"{len(self.trace)} arrivals at t = 0", "arrivals of which the last is at t > 0")
        return len(self.trace) / last

    def at(self, rate: float) -> list[Arrival]:
        """See `Load`."""
        factor = self.rate / rate
        return [replace(arrival, at=factor * arrival.at) for arrival in self.trace]


def _total(shares: Iterable[tuple[Kind, float]]) -> Mapping[Kind, float]:
    total: dict[Kind, float] = defaultdict(float)
    for kind, share in shares:
        total[kind] += share
    return total


def poisson(rate: float, count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """So many times, independent of each other, ``rate`` a second."""
    return np.cumsum(rng.exponential(1.0 / rate, count))


class _Line(Words):
    t: float = Field(ge=0)
    params: str = ""


def read_trace(path: Path) -> list[Arrival]:
    """Arrivals from a file with one JSON object a line, in any order.

    ``{"t": 0.25, "steps": 50, "n": 1, "priority": "bulk", "tenant": "a", "deadline_ms": 2000}``; t in seconds; all but
    t may be left out; also ``graphs`` as in `Kind`, and ``params``, any text.

    Raises:
        InvalidArgument: a line is not of this form, or there is none.
    """
    lines = path.read_text(encoding="utf-8").splitlines()
    arrivals = [_read(f"{path.name}:{number}", line) for number, line in enumerate(lines, 1) if line.strip()]
    if not arrivals:
        raise InvalidArgument(f"{path.name}: no arrivals; allowed: one JSON object a line", field="trace")
    return sorted(arrivals, key=lambda arrival: arrival.at)


def _read(where: str, line: str) -> Arrival:
    try:
        words = _Line.model_validate_json(line)
    except ValidationError as error:
        raise complaint(where, error, _Line) from error
    return Arrival(words.t, words.kind(), words.params)
