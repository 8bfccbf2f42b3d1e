"""When requests are due: independently of each other, in bursts, or ever more of them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Times = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Bursts:
    """Arrivals are frequent and rare in turn; half of them come in bursts."""

    factor: float  # rate within a burst, in units of the mean rate; above 1
    length_s: float = 1.0  # of a burst, on average

    @property
    def share(self) -> float:
        """Part of the time that bursts take."""
        return 0.5 / self.factor


def bursty(rate: float, count: int, bursts: Bursts, rng: np.random.Generator) -> Times:
    """So many times of a Markov-modulated Poisson process of two states, ``rate`` a second on average.

    (Fischer and Meier-Hellstern 1993, The Markov-modulated Poisson process cookbook.)
    """
    times: list[Times] = []
    now, found, burst = 0.0, 0, bool(rng.random() < bursts.share)
    while found < count:
        share = bursts.share if burst else 1.0 - bursts.share
        length = rng.exponential(bursts.length_s * share / bursts.share)
        some = rng.poisson(0.5 * rate / share * length)
        times.append(np.sort(now + length * rng.random(some)))
        now, found, burst = now + length, found + some, not burst
    return np.concatenate(times)[:count]


def bursty_within(rate: float, seconds: float, bursts: Bursts, rng: np.random.Generator) -> Times:
    """All times of `bursty` before a moment."""
    count = math.ceil(2 * rate * seconds) + 100
    while (times := bursty(rate, count, bursts, rng))[-1] < seconds:
        count *= 2
    return times[times < seconds]


def poisson_within(first: float, last: float, seconds: float, rng: np.random.Generator) -> Times:
    """Times before a moment of a Poisson process whose rate goes from ``first`` to ``last`` a second in a line.

    The number of them is drawn; given that, they are independent of each other, and uniform where time is measured in
    expected arrivals, Λ(t) = first·t + (last − first)·t²/2T (Çinlar 1975, Introduction to stochastic processes, 4.7).
    """
    expected = 0.5 * (first + last) * seconds
    places = np.sort(rng.random(rng.poisson(expected))) * expected
    if first == last:
        return places / first
    slope = (last - first) / seconds
    # The root of Λ(t) = place that is right for both directions, in the form that does not cancel.
    times: Times = 2 * places / (first + np.sqrt(np.maximum(first**2 + 2 * slope * places, 0.0)))
    return times
