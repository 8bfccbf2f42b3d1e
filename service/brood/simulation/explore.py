"""Many runs: latency against load, and the rate that devices sustain within a latency."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from brood.simulation.measures import Summary, summarize
from brood.simulation.policies import POLICIES
from brood.simulation.setting import Setting
from brood.simulation.simulate import simulate
from brood.simulation.traces import Arrival

LOADS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
PRECISION = 0.01  # of a capacity, as a part of the ideal one
DIGITS = 5  # of figures that are written

Requests = Callable[[float], Sequence[Arrival]]  # requests a second → a trace of them


@dataclass(frozen=True, slots=True)
class Point:
    """One run of many."""

    policy: str
    load: float  # of what full calls would serve
    rate: float  # requests a second
    summary: Summary

    def words(self) -> dict[str, Any]:
        """As JSON: numbers rounded, null for what is not a number."""
        rounded: dict[str, Any] = _rounded(asdict(self))
        return rounded


@dataclass(frozen=True, slots=True)
class Capacity:
    """The highest rate that keeps a promise."""

    policy: str
    rate: float  # requests a second; 0 if even the lowest is too high
    load: float  # of what full calls would serve


def sweep(
    policies: Iterable[str], requests: Requests, setting: Setting, ideal: float, loads: Sequence[float] = LOADS
) -> list[Point]:
    """The same requests under each policy at each load.

    Args:
        policies: names of `POLICIES`.
        requests: of the same random numbers at all rates, so that curves are smooth.
        setting: the devices.
        ideal: requests a second at load 1.
        loads: each of them.
    """
    points = []
    for load in loads:
        trace = requests(load * ideal)
        for policy in policies:
            summary = summarize(simulate(POLICIES[policy], trace, setting))
            points.append(Point(policy, load, load * ideal, summary))
    return points


def find_capacity(policy: str, requests: Requests, setting: Setting, ideal: float, slo_s: float) -> Capacity:
    """The highest rate at which 95 % of all requests are finished in time and the queue does not grow, by bisection.

    Args:
        policy: one of `POLICIES`.
        requests: as in `sweep`.
        setting: the devices.
        ideal: requests a second that full calls would serve.
        slo_s: seconds from arrival to the last sample.
    """
    low, high = 0.0, 1.0
    while high - low > PRECISION:
        load = (low + high) / 2
        summary = summarize(simulate(POLICIES[policy], requests(load * ideal), setting))
        if not summary.saturated and summary.total.p95_of_all <= slo_s:
            low = load
        else:
            high = load
    return Capacity(policy, low * ideal, low)


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _rounded(each) for name, each in value.items()}
    if not isinstance(value, float):
        return value
    return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None
