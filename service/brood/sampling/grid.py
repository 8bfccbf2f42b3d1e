"""The noise levels a run passes through: at which timestep and level each step calls the network, and where it leads.

The rules are those of the diffusers schedulers of these samplers, so that a model moved from there draws the same
samples (DDIM: with word ``leads`` = "stride"): they differ in how they round and in how many timesteps they space.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from brood.sampling.spacing import SPACINGS
from brood.sampling.terms import Floats, Given

SPACING = "leading"


@dataclass(frozen=True, slots=True)
class Grid:
    """K steps, from noise to sample."""

    t: Floats  # [K] timestep that the network is told
    level: Floats  # [K] ᾱ there
    to: Floats  # [K] ᾱ that the step leads to; 1 is the finished sample

    def last(self, steps: int) -> Grid:
        """The grid of the last steps only."""
        return Grid(self.t[-steps:], self.level[-steps:], self.to[-steps:])


def chain(given: Given, levels: Floats) -> Grid:
    """DDPM: whole timesteps, each step leads to the next one's level, the last to the sample."""
    t = _spaced(given, len(levels)).round()
    return _to_the_next(t, levels[t.astype(np.int64)])


def strides(given: Given, levels: Floats) -> Grid:
    """DDIM: whole timesteps; the last step leads to ᾱ = 1, or to that of timestep 0 if ``set_alpha_to_one`` is 0.

    Word ``leads`` says where the others lead. "next" (the default): to the next one's level. "stride": ⌊T/K⌋ timesteps
    down, as in diffusers, which is the same for "leading"; otherwise each step finds a little more noise than it is
    told of (where K divides T, "trailing" is the same, too).
    """
    t = _spaced(given, len(levels)).round()
    at = t.astype(np.int64)
    stride = given.word("leads", ("next", "stride"), "next") == "stride"
    to = at - len(levels) // len(at) if stride else np.append(at[1:], -1)
    final = 1.0 if given.number("set_alpha_to_one", 1, least=0, most=1) else levels[0]
    return Grid(t, levels[at], np.where(to >= 0, levels[to], final))


def between(given: Given, levels: Floats) -> Grid:
    """Euler: timesteps need not be whole; between them σ = √(1/ᾱ − 1) is interpolated."""
    t = _spaced(given, len(levels))
    sigma = np.interp(t, np.arange(len(levels)), np.sqrt(1 / levels - 1))
    return _to_the_next(t, 1 / (1 + sigma**2))


def spare(given: Given, levels: Floats) -> Grid:
    """DPM-Solver: whole timesteps; but for "trailing", K + 1 are spaced and the lowest is left out."""
    t = _spaced(given, len(levels), extra=given.word("spacing", SPACINGS, SPACING) != "trailing").round()
    return _to_the_next(t, levels[t.astype(np.int64)])


def _to_the_next(t: Floats, level: Floats) -> Grid:
    return Grid(t, level, np.append(level[1:], 1.0))


def _spaced(given: Given, train_steps: int, *, extra: bool = False) -> Floats:
    """Falling timesteps, [K].

    Parameters or words: ``steps`` = K, ``spacing``. Numbers: ``steps_offset``, of spacing "leading".

    Raises:
        InvalidArgument: more steps than the model was trained on, or the offset leads beyond them.
    """
    steps = given.steps(train_steps - extra, f" (the model was trained on {train_steps} timesteps)")
    spacing = given.word("spacing", SPACINGS, SPACING)
    offset = int(given.number("steps_offset", 0, least=0))
    t = SPACINGS[spacing](steps + extra, train_steps, offset)[:steps]
    if t[0] >= train_steps:
        why = f"a number of steps with which spacing {spacing} and steps_offset {offset} begin below {train_steps}"
        raise given.refusal("steps", "numbers", steps, f"{why}, not at {t[0]:g}")
    return t
