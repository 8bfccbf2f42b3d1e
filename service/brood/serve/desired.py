"""How many workers a generator should have: a pure function of what they report, tested and simulated without Ray.

Two signals, because each fails alone. *Load*, the part of their capacity that workers used lately, tells how many are
enough for what comes, but says "all" when there are too few, however many are missing. *Backlog*, the predicted
seconds of what waits, tells how many are missing, but is gone as soon as there are enough. What is needed is the
larger of

    Σ load / target_load   and   Σ backlog_s / target_backlog_s      (workers, rounded up)

Load is measured in predicted seconds of full calls (see `brood.serve.effort`), so that its sum does not depend on over
how many workers the same work is spread; the time that devices are busy does, for calls are emptier then.

Against flapping, a change must be called for throughout a delay, and goes only as far as was called for all the time:
up to the least, down to the most that was needed meanwhile (the stabilisation window of the Kubernetes horizontal pod
autoscaler, in both directions). The last worker goes when all has been idle for a delay of its own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

ROUNDING = 1e-9  # of a worker: what comes of adding floating-point numbers calls for nobody


@dataclass(frozen=True, slots=True)
class ScalingConfig:
    """What a generator's number of workers is held to."""

    min: int  # workers; 0: none while there is nothing to do
    max: int  # workers, at least 1
    target_backlog_s: float  # predicted seconds of work for each worker
    target_load: float  # of a worker's capacity, 0 … 1
    up_delay_s: float  # so long more must be needed before workers are added
    down_delay_s: float  # so long fewer must do before workers are ended
    idle_delay_s: float  # so long all must have been idle before the last worker is ended


@dataclass(frozen=True, slots=True)
class WorkerLoad:
    """What one worker reports."""

    backlog_s: float  # predicted device seconds of all that is accepted and not yet made
    load: float  # the part of its capacity that was used lately, 0 … 1
    idle_s: float  # for how long it has had nothing to do; 0 while it has


@dataclass(frozen=True, slots=True)
class ScalingStats:
    """What is known of all workers at one moment."""

    target: int  # workers that there should be by the last decision; those that start are among them
    workers: Sequence[WorkerLoad]  # of those that run and have reported lately
    silent: int = 0  # workers that run and have not
    held: bool = False  # whether requests wait at an ingress for a worker


@dataclass(frozen=True, slots=True)
class ScalingState:
    """What one decision leaves to the next. Times are of the clock that decisions are given."""

    awake: bool = False  # whether there was a worker since this configuration came
    above_since: float | None = None  # since when more are needed than there should be
    least: int = 0  # of what was needed since then
    below_since: float | None = None  # since when fewer would do
    most: int = 0  # of what was needed since then


def desired(stats: ScalingStats, state: ScalingState, config: ScalingConfig, now: float) -> tuple[int, ScalingState]:
    """How many workers there should be from now on, always between ``config.min`` and ``config.max``.

    A new configuration gets one worker even if it allows none, once: so it shows whether its models load.

    Args:
        stats: of this moment.
        state: that the last decision left; of a new configuration, `ScalingState()`.
        config: of the generator.
        now: seconds, of any clock that only goes forward.
    """
    if not state.awake or (stats.target == 0 and stats.held):
        return _within(max(1, stats.target), config), ScalingState(awake=True)
    if not stats.workers:
        return _within(stats.target, config), ScalingState(awake=True)
    needed = _within(_patient(needed_workers(stats, config), stats), config)
    if needed > stats.target:
        return _upwards(needed, stats, state, config, now)
    if needed < stats.target:
        return _downwards(needed, stats, state, config, now)
    return _within(stats.target, config), ScalingState(awake=True)


def _patient(needed: int, stats: ScalingStats) -> int:
    """While workers are on their way, those that run cannot tell how many would be enough if they are too few.

    If they are enough, they can: what cannot start must not be waited for.
    """
    running = len(stats.workers) + stats.silent
    return max(needed, stats.target) if running < stats.target and needed > running else needed


def needed_workers(stats: ScalingStats, config: ScalingConfig) -> int:
    """How many workers the work of this moment calls for, without any bounds; 0 if all has been idle long enough."""
    if _idle(stats, config):  # their load may say otherwise: it is an average, which never comes down to nothing
        return 0
    by_load = sum(worker.load for worker in stats.workers) / config.target_load
    by_backlog = sum(worker.backlog_s for worker in stats.workers) / config.target_backlog_s
    return max(1, math.ceil(max(by_load, by_backlog) - ROUNDING))


def _idle(stats: ScalingStats, config: ScalingConfig) -> bool:
    """Whether it is known of all workers that they have had nothing to do for the delay."""
    if stats.held or stats.silent:
        return False
    return all(worker.idle_s >= config.idle_delay_s for worker in stats.workers)


def _upwards(
    needed: int, stats: ScalingStats, state: ScalingState, config: ScalingConfig, now: float
) -> tuple[int, ScalingState]:
    since, least = (now, needed) if state.above_since is None else (state.above_since, min(state.least, needed))
    if now - since >= config.up_delay_s:
        return _within(least, config), ScalingState(awake=True)
    return _within(stats.target, config), ScalingState(awake=True, above_since=since, least=least)


def _downwards(
    needed: int, stats: ScalingStats, state: ScalingState, config: ScalingConfig, now: float
) -> tuple[int, ScalingState]:
    """The last worker needs no further delay than having been idle for its own."""
    if needed == 0 and stats.target == 1:
        return _within(0, config), ScalingState(awake=True)
    if stats.silent:  # it may have work
        return _within(stats.target, config), ScalingState(awake=True)
    needed = max(1, needed)
    since, most = (now, needed) if state.below_since is None else (state.below_since, max(state.most, needed))
    if now - since >= config.down_delay_s and most < stats.target:
        return _within(most, config), ScalingState(awake=True)
    return _within(stats.target, config), ScalingState(awake=True, below_since=since, most=most)


def _within(workers: int, config: ScalingConfig) -> int:
    return min(config.max, max(config.min, workers))
