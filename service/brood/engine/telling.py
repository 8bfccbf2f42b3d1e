"""What callers are told."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from brood.engine.plan import Shot
from brood.engine.rows import Job
from brood.protocol.events import Event, Preview, Progress, Usage

Told = tuple[str, Event]  # request id, what happened


def progress(job: Job, now: float) -> list[Told]:
    """Tell how far a job is, if that was asked for and is due."""
    generation = job.generation
    every = generation.progress_every
    if every is None or job.ended or job.steps // (every * generation.n) == job.told // (every * generation.n):
        return []
    job.told = job.steps
    pace = (now - (now if job.started is None else job.started)) / job.steps
    left = job.all_steps - job.steps
    return [(generation.request_id, Progress(job.steps, job.all_steps, job.finished, generation.n, pace * left))]


def previewed(shot: Shot, outputs: Mapping[str, np.ndarray]) -> Preview:
    """What an unfinished row looked like."""
    row = shot.row
    return Preview(row.index, row.job.generation.seed, shot.step, row.job.row_steps - row.spared, outputs)


def usage(job: Job, now: float) -> Usage:
    """What a finished job took."""
    started = now if job.started is None else job.started
    return Usage(job.generation.n, job.steps, 1e3 * (started - job.arrived), 1e3 * (now - started))


def late(job: Job, now: float) -> str:
    """Why a job that missed its deadline failed."""
    waited = 1e3 * (now - job.arrived)
    return (
        f"deadline_ms: the deadline passed after {waited:.0f} ms with {job.finished} of {job.generation.n} samples made"
    )
