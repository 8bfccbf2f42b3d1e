"""How hard a server is pressed, one stage after another."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from brood.loadgen.arrivals import Bursts, Times, bursty_within, poisson_within
from brood.protocol.errors import invalid

MOST_CLIENTS = 4096


@dataclass(frozen=True, slots=True)
class Open:
    """Requests come when they come, whatever the server does."""

    first: float  # requests a second at the begin
    last: float  # and at the end; between them, a straight line
    bursts: Bursts | None = None  # None: independent arrivals

    @property
    def label(self) -> str:
        """What a table calls it."""
        rate = f"{self.first:g}/s" if self.first == self.last else f"{self.first:g} to {self.last:g}/s"
        return rate if self.bursts is None else f"{rate} in bursts"

    @property
    def size(self) -> float:
        """Where it stands on a plot's axis."""
        return 0.5 * (self.first + self.last)

    def times(self, warm_up_s: float, seconds: float, rng: np.random.Generator) -> Times:
        """When requests are due, ascending; those before ``warm_up_s`` come at the first rate and do not count."""
        if self.bursts is not None:
            return bursty_within(self.first, warm_up_s + seconds, self.bursts, rng)
        before = poisson_within(self.first, self.first, warm_up_s, rng) if warm_up_s else np.empty(0)
        return np.concatenate([before, warm_up_s + poisson_within(self.first, self.last, seconds, rng)])


@dataclass(frozen=True, slots=True)
class Closed:
    """So many clients; each asks again when it is answered."""

    first: int  # clients at the begin
    last: int  # and at the end; the others come or leave one by one

    @property
    def label(self) -> str:
        """What a table calls it."""
        clients = f"{self.first}" if self.first == self.last else f"{self.first} to {self.last}"
        return f"{clients} client{'' if clients == '1' else 's'}"

    @property
    def size(self) -> float:
        """Where it stands on a plot's axis."""
        return 0.5 * (self.first + self.last)

    def lives(self, warm_up_s: float, seconds: float) -> list[tuple[float, float]]:
        """Begin and end of each client."""
        end, changing = warm_up_s + seconds, abs(self.last - self.first)
        stays = [(0.0, end)] * min(self.first, self.last)
        moments = [warm_up_s + seconds * (place + 1) / (changing + 1) for place in range(changing)]
        return stays + [(at, end) if self.last > self.first else (0.0, at) for at in moments]


Stage = Open | Closed


def read_open(text: str, bursts: Bursts | None = None) -> Open:
    """An open stage of ``RATE`` or, as a ramp, ``FIRST:LAST`` requests a second.

    Raises:
        InvalidArgument: it is not of this form, or a ramp is to come in bursts.
    """
    first, last = _ends("rate", text, "a positive number, or two as in 50:400")
    if bursts is not None and first != last:
        raise invalid("rate", text, "one number, where requests come in bursts")
    return Open(first, last, bursts)


def read_closed(text: str) -> Closed:
    """A closed stage of ``CLIENTS`` or, as a ramp, ``FIRST:LAST`` clients.

    Raises:
        InvalidArgument: it is not of this form.
    """
    allowed = f"a whole number from 1 to {MOST_CLIENTS}, or two as in 1:256"
    first, last = _ends("clients", text, allowed)
    if not all(each.is_integer() and each <= MOST_CLIENTS for each in (first, last)):
        raise invalid("clients", text, allowed)
    return Closed(int(first), int(last))


def _ends(name: str, text: str, allowed: str) -> tuple[float, float]:
    first, colon, last = text.partition(":")
    try:
        ends = float(first), float(last if colon else first)
    except ValueError as error:
        raise invalid(name, text, allowed) from error
    if not all(math.isfinite(end) and end > 0 for end in ends):
        raise invalid(name, text, allowed)
    return ends
