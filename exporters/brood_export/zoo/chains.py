"""Simulated annealing of Markov chains: how the energy-based models generate, and how they are trained.

Generation starts from noise and runs a fixed number of sweeps while the temperature falls to 1 (Kirkpatrick et
al. 1983). Persistent contrastive divergence (Tieleman 2008) needs samples of the model in every training step
and takes them from chains that live on from step to step. Chains that live for ever sit in old modes and teach
nothing about the way there, so here each chain is a generation in progress: it starts from noise, is annealed
like a sample, and is replaced after its last sweep. Only chains that have reached temperature 1 are samples of
the model, so only they are returned.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Walk = Callable[[Tensor, Tensor], Tensor]  # states [n, units] and temperatures [sweeps, n] -> states


def temperatures(sweeps: int, hottest: float, falling: float) -> list[float]:
    """One temperature per sweep: geometric from `hottest` down to 1 over the first `falling` share, then 1."""
    fall = max(1, round(falling * sweeps))
    return [hottest ** max(0.0, 1.0 - k / fall) for k in range(sweeps)]


class Chains:
    """Annealed chains of binary units, some of them clamped. All draws come from torch's own generator."""

    def __init__(self, mask: Tensor, known: Tensor, schedule: list[float], sweeps_per_step: int) -> None:
        """Units with `mask` [chains, units] 1 stay at `known`; the schedule is cut into steps of equally many sweeps.

        Raises ValueError when the schedule's length is no multiple of `sweeps_per_step`.
        """
        if len(schedule) % sweeps_per_step:
            raise ValueError(f"sweeps_per_step is {sweeps_per_step}; allowed are the divisors of {len(schedule)}")
        self._mask, self._known = mask, known
        self._schedule = torch.tensor(schedule).view(-1, sweeps_per_step)
        # Ages are spread evenly, and at random over the labels, so that every step sees every part of the walk.
        self._age = torch.randperm(len(mask)) * len(self._schedule) // len(mask)
        self._states = self._noise()

    def _noise(self) -> Tensor:
        return torch.where(self._mask > 0.5, self._known, (torch.rand_like(self._known) < 0.5).float())

    def advance(self, walk: Walk) -> Tensor:
        """Move all chains on by one step; returns the states [cold, units] of those that ended at temperature 1."""
        self._states = torch.where((self._age == 0)[:, None], self._noise(), self._states)
        heat = self._schedule[self._age].T
        self._states = walk(self._states, heat)
        self._age = (self._age + 1) % len(self._schedule)
        return self._states[heat[-1] <= 1.0]
