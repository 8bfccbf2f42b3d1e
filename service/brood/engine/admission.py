"""Permission to queue: asked for before any work, and needed to submit."""

from __future__ import annotations

from dataclasses import dataclass

from brood.engine.deadlines import OWN
from brood.engine.rows import Job
from brood.engine.scheduler import Scheduler
from brood.protocol.errors import DeadlineInfeasible, Overloaded, invalid

SHORTEST_RETRY_S = 0.1
ROUNDING_S = 1e-6  # of sums of predicted seconds


@dataclass(frozen=True, slots=True)
class Permit:
    """This job may be queued."""

    job: Job


@dataclass(frozen=True, slots=True)
class Admission:
    """Bounds what waits: in predicted seconds of work, in memory, and by what is due before deadlines."""

    max_backlog_s: float  # of a request's class and those before it
    max_held_bytes: int  # inputs and samples of all that runs

    def admit(self, job: Job, scheduler: Scheduler, now: float) -> Permit:
        """Let a job in, or refuse it at once.

        Raises:
            InvalidArgument: its samples alone would take more memory than there is for all.
            DeadlineInfeasible: it could not be finished in time on an idle device either.
            Overloaded: too much work or memory is ahead of it, or so much that deadlines would be missed, its own or
                others'; `retry_after_s` is the predicted time after which it would be let in.
        """
        self._check_memory(job, scheduler)
        self._check_backlog(job, scheduler)
        if job.generation.deadline is not None:
            _check_deadline(job, job.generation.deadline - now, scheduler, now)
        return Permit(job)

    def _check_memory(self, job: Job, scheduler: Scheduler) -> None:
        n, held = job.generation.n, scheduler.held_bytes
        if job.held_bytes > self.max_held_bytes:
            raise invalid(
                "n", n, f"1 ≤ n ≤ {self.max_held_bytes * n // job.held_bytes} (memory for inputs and samples)"
            )
        if held + job.held_bytes > self.max_held_bytes:
            raise _overloaded(
                f"running requests hold {held} bytes and {job.held_bytes} more would exceed {self.max_held_bytes}",
                sum(scheduler.backlog_s.values()),
            )

    def _check_backlog(self, job: Job, scheduler: Scheduler) -> None:
        ahead = _ahead_s(job, scheduler)
        over_s = ahead + job.work_s - max(self.max_backlog_s, job.work_s)  # however large: alone it may
        if over_s > ROUNDING_S:
            raise _overloaded(
                f"{ahead:.3g} s of work are waiting and {job.work_s:.3g} s more would exceed the queue's "
                f"{self.max_backlog_s:g} s",
                over_s,
            )


def _ahead_s(job: Job, scheduler: Scheduler) -> float:
    """Predicted seconds of work of the job's class and those before it."""
    backlog = scheduler.backlog_s
    return backlog["interactive"] + (backlog["bulk"] if job.generation.priority == "bulk" else 0.0)


def _check_deadline(job: Job, left_s: float, scheduler: Scheduler, now: float) -> None:
    if job.alone_s > left_s:
        raise DeadlineInfeasible(
            f"deadline_ms: {1e3 * max(left_s, 0.0):.3g} ms are left, and these samples take about "
            f"{1e3 * job.alone_s:.3g} ms on an idle device; allowed: a later deadline, or less to make",
            field="deadline_ms",
        )
    if not scheduler.jobs:
        return
    alone = OWN * job.left_s > left_s  # there is time enough only on an idle device
    wait_s = sum(scheduler.backlog_s.values()) if alone else scheduler.deadlines.wait_s(job, now)
    if wait_s > 0:
        raise _overloaded(f"the deadline would be missed, or another's, for the next {wait_s:.3g} s", wait_s)


def _overloaded(reason: str, after_s: float) -> Overloaded:
    retry_after_s = max(SHORTEST_RETRY_S, after_s)
    return Overloaded(f"{reason}; try again in {retry_after_s:.1f} s", retry_after_s=retry_after_s)
