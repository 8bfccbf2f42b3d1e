"""Which rows run next: pure decisions, without a clock, without waiting, without I/O.

Contract:
- `plan(now)` gives the next graph call, or None when nothing is runnable; `commit(plan, report)` must follow it.
- Rows that have started continue. Free places go to requests by start-time fair queueing (Goyal, Vin and Cheng
  1996): each request carries a tag, its service so far in predicted seconds, and the lowest tag is served next. A
  request that arrives begins at the tag now in service, so a small one never waits for a big one's remainder.
- Nothing is held back: if a row is runnable, there is a plan.
- A request that has ended (failed, expired, cancelled) costs no further step.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterator
from itertools import count

from brood.engine.model import EngineModel, Group
from brood.engine.plan import StepPlan, StepReport
from brood.engine.rows import Job, Row, RowState
from brood.protocol.errors import BroodError, Cancelled, DeadlineExceeded
from brood.protocol.events import Done, Event, Failed, Sample, Usage

FEW_DEADLINES = 1000
Told = tuple[str, Event]  # request id, what happened


class Scheduler:
    """See the module's contract."""

    def __init__(self) -> None:
        self.jobs: dict[str, Job] = {}
        self.backlog_s = 0.0  # predicted device seconds of everything accepted and not yet made
        self.rows_waiting = 0  # accepted rows without a place
        self._virtual = 0.0
        self._order = count()
        self._ready: dict[Group, list[Row]] = defaultdict(list)  # started, in the order they became ready
        self._queues: dict[Group, list[tuple[float, int, Job]]] = defaultdict(list)  # heaps of jobs with rows to start
        self._free: dict[tuple[str, int], list[int]] = {}  # free slots of each model
        self._expiring: list[tuple[float, str]] = []  # heap of (deadline, request id); may name jobs that have ended

    def add(self, job: Job) -> None:
        """Take an admitted job."""
        job.tag = max(self._virtual, job.tag)
        self.jobs[job.generation.request_id] = job
        self.rows_waiting += job.rows_waiting
        self.backlog_s += job.remaining_s
        heapq.heappush(self._queues[job.groups[0]], (job.tag, next(self._order), job))
        if job.generation.deadline is not None:
            heapq.heappush(self._expiring, (job.generation.deadline, job.generation.request_id))
            self._forget_ended_deadlines()

    def cancel(self, request_id: str) -> list[Told]:
        """End a job because its caller is gone; nothing happens if it has ended already."""
        job = self.jobs.get(request_id)
        return [] if job is None else [self._end(job, Cancelled("the request was cancelled"))]

    def expire(self, now: float) -> list[Told]:
        """End the jobs whose deadline has passed."""
        told = []
        while self._expiring and self._expiring[0][0] <= now:
            deadline, request_id = heapq.heappop(self._expiring)
            job = self.jobs.get(request_id)
            if job is not None and job.generation.deadline == deadline:
                told.append(self._end(job, DeadlineExceeded(_late(job, now), field="deadline_ms")))
        return told

    def plan(self, now: float) -> StepPlan | None:
        """The next graph call; its rows are in flight until `commit`."""
        choice = min(self._runnable(), default=None, key=lambda found: found[0])
        if choice is None:
            return None
        (tag, _), group, model = choice
        self._virtual = max(self._virtual, tag)
        places = model.largest_bucket(group.graph)
        ready = self._ready[group]
        candidates = ready[:places] + self._start(group, model, places - len(ready), now)
        bucket = model.bucket_for(group.graph, len(candidates))
        rows = tuple(candidates[:bucket])
        self._ready[group] = candidates[bucket:] + ready[places:]
        for row in rows:
            row.move(RowState.IN_FLIGHT)
        self._charge(rows, model.row_cost_s(group.graph))
        return StepPlan(model, group, bucket, rows)

    def commit(self, plan: StepPlan, report: StepReport) -> list[Told]:
        """Take in what came of a plan."""
        told: list[Told] = []
        for row in plan.rows:
            job = row.job
            job.steps += 1
            if job.ended:
                self._release(row, RowState.ENDED)
            elif row in report.failures:
                self._release(row, RowState.ENDED)
                told.append(self._end(job, report.failures[row]))
            elif row.finishes:
                self._release(row, RowState.DONE)
                told += self._finish(row, report)
            else:
                row.move(RowState.READY)
                row.advance()
                self._ready[row.group].append(row)
        return told

    def _forget_ended_deadlines(self) -> None:
        """Most requests end long before their deadlines: keep the heap in proportion to what runs."""
        if len(self._expiring) > 2 * len(self.jobs) + FEW_DEADLINES:
            running = [(job.generation.deadline, name) for name, job in self.jobs.items()]
            self._expiring = [(deadline, name) for deadline, name in running if deadline is not None]
            heapq.heapify(self._expiring)

    def _runnable(self) -> Iterator[tuple[tuple[float, int], Group, EngineModel]]:
        """The lowest tag of every group that has a row to run; equal tags go by arrival, started rows first.

        A request that waits for a place ranks its group only if there is a place: it would keep the device with a group
        that cannot serve it, and away from those that others wait for.
        """
        for group, queue in self._queues.items():
            while queue and not queue[0][2].rows_waiting:
                heapq.heappop(queue)
            if queue and self._has_place(group, queue[0][2].model):
                tag, order, job = queue[0]
                yield (tag, order), group, job.model
        for group, rows in self._ready.items():
            if rows:
                yield (min(row.job.tag for row in rows), -1), group, rows[0].job.model

    def _has_place(self, group: Group, model: EngineModel) -> bool:
        """Whether a row that has not started could be in the group's next call."""
        return bool(self._slots(model)) and len(self._ready[group]) < model.largest_bucket(group.graph)

    def _slots(self, model: EngineModel) -> list[int]:
        key = (model.name, model.version)
        if key not in self._free:
            self._free[key] = list(range(model.runtime.capacity))
        return self._free[key]

    def _start(self, group: Group, model: EngineModel, places: int, now: float) -> list[Row]:
        """Give free places to the requests with the lowest tags, row by row."""
        queue, free, rows = self._queues[group], self._slots(model), list[Row]()
        cost = model.row_cost_s(group.graph)
        while queue and free and len(rows) < places:
            tag, _, job = heapq.heappop(queue)
            if not job.rows_waiting:
                continue
            rows.append(Row(job, job.made, free.pop()))
            if job.started is None:
                # Whoever had to wait for a place starts where the others are: else its old tag would keep the device
                # from all other groups until it has caught up.
                job.started, job.tag = now, max(job.tag, self._virtual)
            job.made += 1
            self.rows_waiting -= 1
            heapq.heappush(queue, (max(job.tag, tag + cost), next(self._order), job))
        return rows

    def _charge(self, rows: tuple[Row, ...], cost_s: float) -> None:
        """Count a step's predicted seconds towards the tags of those served."""
        for row in rows:
            row.job.tag += cost_s
            row.job.remaining_s -= cost_s
        self.backlog_s = max(0.0, self.backlog_s - cost_s * len(rows))

    def _finish(self, row: Row, report: StepReport) -> list[Told]:
        job, generation = row.job, row.job.generation
        job.finished += 1
        told: list[Told] = [
            (generation.request_id, Sample(row.index, generation.seed, report.outputs[row])),
        ]
        if job.finished == generation.n:
            job.ended = True
            del self.jobs[generation.request_id]
            told.append((generation.request_id, Done(_usage(job, report.ended))))
        return told

    def _end(self, job: Job, error: BroodError) -> Told:
        """End a job early; its rows in flight are let go at commit, the others now."""
        self.rows_waiting -= job.rows_waiting
        self.backlog_s = max(0.0, self.backlog_s - job.remaining_s)
        job.ended = True
        del self.jobs[job.generation.request_id]
        for group in set(job.groups):
            for row in [row for row in self._ready[group] if row.job is job]:
                self._ready[group].remove(row)
                self._release(row, RowState.ENDED)
        return job.generation.request_id, Failed(error)

    def _release(self, row: Row, to: RowState) -> None:
        row.move(to)
        self._slots(row.job.model).append(row.slot)


def _usage(job: Job, now: float) -> Usage:
    started = now if job.started is None else job.started
    return Usage(job.generation.n, job.steps, 1e3 * (started - job.arrived), 1e3 * (now - started))


def _late(job: Job, now: float) -> str:
    waited = 1e3 * (now - job.arrived)
    return (
        f"deadline_ms: the deadline passed after {waited:.0f} ms with {job.finished} of {job.generation.n} samples made"
    )
