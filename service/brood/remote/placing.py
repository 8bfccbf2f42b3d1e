"""Where the rows of requests go: at first, when a worker refuses them, and when one is lost with them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping

from brood.protocol.errors import (
    BroodError,
    DeadlineExceeded,
    DeadlineInfeasible,
    DeterminismUnavailable,
    Internal,
    ModelUnavailable,
    NotReady,
    Overloaded,
    RuntimeFailed,
    WorkersLost,
)
from brood.protocol.models import ModelStatus
from brood.protocol.requests import Generation
from brood.remote.fleet import Fleet
from brood.remote.job import RemoteJob
from brood.remote.link import Chunk, Errand, Link
from brood.remote.merge import Part
from brood.remote.offers import SUSPICIOUS, AllRefused, Choice, Nobody, choose
from brood.remote.options import RemoteOptions
from brood.remote.orders import Piece
from brood.remote.tally import Tally
from brood.remote.waiting import Held, Parked, WaitingRoom

log = logging.getLogger(__name__)
MOST_DEATHS = 3  # workers that may be lost with an errand; the last of them runs no other suspicious one
MOST_FAILURES = 2  # workers on which a graph call may fail
MOST_REFUSALS = 4  # workers that are asked
LOOK_S = 0.1  # how often those that wait are looked at
WAKE_S = 1.0  # how often somebody is told that requests wait for a model
BUSY_S = 1.0  # at most so long from one try to the next while all workers are busy
ELSEWHERE = (Overloaded, NotReady, ModelUnavailable, DeterminismUnavailable, DeadlineInfeasible)  # may do better


class Placing:
    """Implements `brood.remote.job.Placer`.

    Args:
        token: shown to every worker.
        options: bounds and patience.
        clock: seconds.
        wake: called with a model's name when requests wait for it.

    Attributes:
        tally: what has happened.
        fleet: the workers.
        jobs: all that are not over, by request id.
    """

    def __init__(
        self, token: str, options: RemoteOptions, clock: Callable[[], float], wake: Callable[[str], None]
    ) -> None:
        self.tally = Tally()
        self.fleet = Fleet(token, options, self._changed, self._lost)
        self.jobs: dict[str, RemoteJob] = {}
        self._options, self._clock, self._wake = options, clock, wake
        self._waiting = WaitingRoom(options)
        self._timer: asyncio.TimerHandle | None = None
        self._woken: dict[str, float] = {}  # model → when `wake` was called

    def begin(self, generation: Generation) -> RemoteJob:
        """Find workers for a request.

        Raises:
            BroodError: there are none, or they have too much to do.
        """
        job = self.jobs[generation.request_id] = RemoteJob(generation, self, self._clock())
        try:
            job.steps = self.fleet.steps_of(generation)
            self._place(job, Errand(Piece(0, generation.n)))
        except BroodError as error:
            self.tally.refused += 1
            job.end(error)
            raise
        self.tally.submitted += 1
        return job

    def held(self) -> Mapping[str, Held]:
        """What waits because no worker has its model, by name of the model."""
        return self._waiting.held(self._clock())

    async def stop(self) -> None:
        """End everything."""
        for job in list(self.jobs.values()):
            job.end(NotReady("the server is stopping"))
        if self._timer is not None:
            self._timer.cancel()
        await self.fleet.close()

    def refused(self, job: RemoteJob, chunk: Chunk, error: BroodError) -> None:
        """A worker has not taken a chunk: another may."""
        avoid = chunk.errand.avoid | {chunk.link.worker_id}
        if not isinstance(error, ELSEWHERE) or len(avoid) >= MOST_REFUSALS:
            job.end(error)
            return
        if isinstance(error, DeadlineInfeasible) and job.open:
            error = DeadlineExceeded("deadline_ms: a worker was lost, and too little time is left", field="deadline_ms")
        job.refusal = _milder(job.refusal, error)
        self._try(job, chunk.errand._replace(avoid=avoid))

    def failed(self, job: RemoteJob, chunk: Chunk, error: BroodError) -> None:
        """A chunk that was taken has ended early: if its worker is to blame, another may do better."""
        blamed = isinstance(error, RuntimeFailed | Internal)
        failures = chunk.errand.deaths + blamed
        if not (blamed or isinstance(error, NotReady)) or failures >= MOST_FAILURES:
            job.end(error)
            return
        job.refusal = error
        avoid = chunk.errand.avoid | {chunk.link.worker_id}
        self._again(job, chunk, Errand(chunk.errand.piece, failures, avoid))

    def ended(self, job: RemoteJob) -> None:
        """A request is over."""
        self.jobs.pop(job.generation.request_id, None)
        self._waiting.drop(job)

    def _lost(self, link: Link, chunks: list[Chunk]) -> None:
        """A link is broken: what was unfinished on it goes elsewhere."""
        guilty = link.known is not None and not link.known.draining and not link.leaving
        if guilty:
            self.tally.lost_workers += 1
            log.warning("the link to worker %s broke with %d unfinished chunks", link.worker_id, len(chunks))
        for chunk in chunks:
            job = self.jobs.get(chunk.job.generation.request_id)
            if job is not None and chunk in job.chunks:
                job.chunks.discard(chunk)
                deaths = chunk.errand.deaths + (guilty and link.was_sent(chunk))
                self._again(job, chunk, Errand(chunk.errand.piece, deaths))

    def _again(self, job: RemoteJob, chunk: Chunk, errand: Errand) -> None:
        """Make again what of a chunk has not come."""
        pieces = job.merge.lost(chunk.part, self._clock() - job.began)
        job.patient = True  # what a worker had is not refused because that worker is gone
        if pieces and errand.deaths >= MOST_DEATHS:
            self.tally.given_up += 1
            job.end(WorkersLost(f"{errand.deaths} workers were lost, one after another, while this request ran there"))
        for piece in pieces:
            if not job.over:
                self.tally.resubmitted_rows += piece.rows
                self._try(job, errand._replace(piece=piece))
        job.finish()

    def _try(self, job: RemoteJob, errand: Errand, since: float | None = None) -> None:
        try:
            self._place(job, errand, since)
        except BroodError as error:
            job.end(error)

    def _place(self, job: RemoteJob, errand: Errand, since: float | None = None) -> None:
        """Send rows to workers, or let them wait.

        Args:
            job: whose.
            errand: which.
            since: when they began to wait.

        Raises:
            BroodError: no worker can take them, and waiting is of no use.
        """
        now = self._clock()
        if job.patient and _overdue(job, now):  # a worker that is asked first has better words for it
            raise DeadlineExceeded("deadline_ms: the deadline passed before a worker was found", field="deadline_ms")
        try:
            self._send(job, self._choice(job, errand), errand, now)
        except Nobody:
            self._hold(job, errand, now, since)
        except AllRefused:
            self._all_refused(job, errand, now, since)
        except Overloaded as error:
            if not job.patient:
                raise job.refusal or error from None
            self._defer(job, errand, now, since, error)

    def _choice(self, job: RemoteJob, errand: Errand) -> Choice:
        groups = self.fleet.kin_of(job.generation)
        if job.kin is not None:
            unseen = job.merge.left == job.generation.n and not job.chunks and not job.open
            groups = groups if unseen else [kin for kin in groups if kin.name == job.kin]
        return choose(groups, errand, job.steps, job.generation.priority == "bulk", self._options)

    def _send(self, job: RemoteJob, choice: Choice, errand: Errand, now: float) -> None:
        deadline = job.generation.deadline
        left_s = None if deadline is None else deadline - now
        job.kin = choice.kin
        for link, piece, row_s in choice.parts:
            part = Part(piece, now - job.began)
            chunk = link.send(job, errand._replace(piece=piece), part, row_s, left_s)
            job.chunks.add(chunk)
            self.tally.chunks += 1
            if errand.deaths >= SUSPICIOUS:
                link.suspect = chunk

    def _hold(self, job: RemoteJob, errand: Errand, now: float, since: float | None) -> None:
        """No worker has the model: wait for one, if one is expected or the request has been promised."""
        if not job.patient:
            status = self.fleet.status_of(job.generation)
            if status is None or status.state != "ready":
                raise _unavailable(job.generation, status)
        self._park(Parked(job, errand._replace(avoid=frozenset()), since or now, 0.0, nobody=True))
        job.patient = True
        model = job.generation.model
        if now - self._woken.get(model, -WAKE_S) >= WAKE_S:
            self._woken[model] = now
            self._wake(model)

    def _all_refused(self, job: RemoteJob, errand: Errand, now: float, since: float | None) -> None:
        error = job.refusal or NotReady("no worker takes this request")
        if isinstance(error, NotReady | ModelUnavailable):
            self._hold(job, errand, now, since)
        elif isinstance(error, Overloaded) and job.patient:
            self._defer(job, errand._replace(avoid=frozenset()), now, since, error)
        else:
            raise error

    def _defer(self, job: RemoteJob, errand: Errand, now: float, since: float | None, error: BroodError) -> None:
        """All workers are busy: wait."""
        later = now + min(BUSY_S, error.retry_after_s or BUSY_S)
        self._park(Parked(job, errand, since or now, later, nobody=False))

    def _park(self, parked: Parked) -> None:
        self._waiting.park(parked)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(LOOK_S, self._look)

    def _changed(self) -> None:
        if len(self._waiting):
            if self._timer is not None:
                self._timer.cancel()
            self._timer = asyncio.get_running_loop().call_later(0, self._look)

    def _look(self) -> None:
        """Try those that wait once more; end those that have waited too long."""
        self._timer, now = None, self._clock()
        for parked in self._waiting.take_all():
            job = parked.job
            if now - parked.since > self._options.max_hold_s:
                job.end(NotReady(f"no worker was found within {self._options.max_hold_s:g} s", retry_after_s=1.0))
            elif parked.not_before <= now or _overdue(job, now):
                self._try(job, parked.errand, parked.since)
            else:
                self._park(parked)


def _overdue(job: RemoteJob, now: float) -> bool:
    return job.generation.deadline is not None and job.generation.deadline <= now


def _milder(before: BroodError | None, error: BroodError) -> BroodError:
    """Of two refusals the one that promises more: too busy rather than impossible, sooner rather than later."""
    if not isinstance(before, Overloaded):
        return error if before is None or isinstance(error, Overloaded) else before
    if not isinstance(error, Overloaded):
        return before
    return min(before, error, key=lambda each: each.retry_after_s or 0.0)


def _unavailable(generation: Generation, status: ModelStatus | None) -> BroodError:
    named = f"model: {generation.model} {generation.version}"
    if status is not None and status.state == "failed":
        return ModelUnavailable(f"{named} failed to load: {status.reason}", field="model")
    if status is not None and status.state == "unloaded":
        return ModelUnavailable(f"{named} is not loaded", field="model")
    return NotReady(f"{named} is at no worker right now", field="model", retry_after_s=1.0)
