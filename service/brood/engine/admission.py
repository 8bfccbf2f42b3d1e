"""Permission to queue: asked for before any work, and needed to submit."""

from __future__ import annotations

from dataclasses import dataclass

from brood.engine.rows import Job
from brood.engine.scheduler import Scheduler
from brood.protocol.errors import Overloaded


@dataclass(frozen=True, slots=True)
class Permit:
    """This job may be queued."""

    job: Job


@dataclass(frozen=True, slots=True)
class Admission:
    """Bounds what waits, in rows."""

    max_queued_rows: int

    def admit(self, job: Job, scheduler: Scheduler) -> Permit:
        """Let a job in, or refuse it at once.

        Raises:
            Overloaded: the queue would grow over its bound; `retry_after_s` is the predicted time to work it off.
        """
        waiting = scheduler.rows_waiting
        if waiting and waiting + job.generation.n > self.max_queued_rows:
            raise Overloaded(
                f"{waiting} samples are waiting and {job.generation.n} more would exceed the queue's "
                f"{self.max_queued_rows}; try again in {scheduler.backlog_s:.1f} s",
                retry_after_s=max(0.1, scheduler.backlog_s),
            )
        return Permit(job)
