"""Which rows run next: pure decisions, without a clock, without waiting, without I/O.

Contract:
- `plan(now)` gives the next graph call, or None when nothing is to be run now; `commit(plan, report)` must follow it.
  Where the next calls would be for the same rows again, it gives a run of them; whoever executes it must end it early
  when a job is added that does not go by (`goes_by`), is cancelled or failed, and when a row fails or is done.
- Rows that have begun continue. Free places go by class (interactive before bulk), then to requests at risk of missing
  their deadline by slack, then by start-time fair queueing between tenants and between the requests of each, in
  predicted seconds. Only class and risk pre-empt: a row that has begun is left out of a call, and keeps its slot.
- Nothing starves: classes share by weight, and of the time before a deadline only a part is admitted.
- Nothing is held back, unless ``max_wait_s`` says so: if a row is runnable, there is a plan.
- A request that has ended (failed, expired, cancelled) costs no further step.
- Previews are a class of their own, with the lowest weight; if all that runs asked for some and nothing has a deadline,
  they go first.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from operator import attrgetter

from brood.engine.deadlines import Deadlines
from brood.engine.fair import Ledger
from brood.engine.groups import PRIORITIES, GroupQueue, Places
from brood.engine.model import EngineModel, Group
from brood.engine.parties import Parties, Rank
from brood.engine.plan import StepPlan, StepReport
from brood.engine.previews import Previews
from brood.engine.rows import Job, Row, RowState
from brood.engine.runs import run_length
from brood.engine.telling import Told, late, previewed, progress, usage
from brood.protocol.errors import BroodError, Cancelled, DeadlineExceeded
from brood.protocol.events import Done, Failed, Sample
from brood.protocol.requests import Priority


class Scheduler:
    """See the module's contract.

    Args:
        max_wait_s: for so long a call that would not be full waits for more rows to begin.
        lanes: calls that are made at once, each planned when another has been committed.

    Attributes:
        jobs: all that run, by request id.
        deadlines: those of them that have one.
        rows_waiting: accepted rows that have not begun.
        wake_at: engine clock at which a call that was held back is due, as of the last `plan`; None if there is none.
        wasted_s: predicted device seconds that went into rows of requests that then failed or were given up.
        backlog_s: class → predicted device seconds of all that is accepted and not yet made.
        held_bytes: main memory that inputs and samples of all that is accepted take.
        idle: lanes that wait for something to do; whoever waits counts itself.
        more: whether, as of the last `plan`, another call could be made at once.
    """

    def __init__(self, max_wait_s: float = 0.0, lanes: int = 1) -> None:
        self.jobs: dict[str, Job] = {}
        self.deadlines = Deadlines()
        self.rows_waiting = 0
        self.wake_at: float | None = None
        self.wasted_s = 0.0
        self.held_bytes = 0
        self.backlog_s = dict.fromkeys(PRIORITIES, 0.0)
        self.idle, self.more = 0, False
        self._lanes = lanes
        self._max_wait_s = max_wait_s
        self._parties = Parties()
        self._unseen = 0  # jobs that did not ask for previews
        self._queues: dict[Group, GroupQueue] = {}
        self._places: dict[int, Places] = {}  # by the model's identity: a version that is loaded anew has its own
        self._leaving: list[EngineModel] = []
        self._previews = Previews()

    def add(self, job: Job) -> None:
        """Take an admitted job."""
        generation = job.generation
        self._parties.enter(job)
        self.jobs[generation.request_id] = job
        self._unseen += generation.preview_every is None
        self.deadlines.add(job)
        self._wait(job)
        self.rows_waiting += generation.n
        self.backlog_s[generation.priority] += job.work_s
        self.held_bytes += job.held_bytes

    def cancel(self, request_id: str) -> list[Told]:
        """End a job because its caller is gone; nothing happens if it has ended already."""
        job = self.jobs.get(request_id)
        told = [] if job is None else [self._end(job, Cancelled("the request was cancelled"))]
        if self._leaving:
            self._let_go()
        return told

    def expire(self, now: float) -> list[Told]:
        """End the jobs whose deadline has passed."""
        return [
            self._end(job, DeadlineExceeded(late(job, now), field="deadline_ms")) for job in self.deadlines.missed(now)
        ]

    def fail(self, rows: Sequence[Row], error: BroodError) -> list[Told]:
        """End the jobs of these rows."""
        return [self._end(job, error) for job in {row.job: None for row in rows} if not job.ended]

    def forget(self, model: EngineModel) -> None:
        """Hold a model no longer than its jobs run; no more come."""
        self._leaving.append(model)
        self._let_go()

    def plan(self, now: float) -> StepPlan | None:
        """The next graph call; its rows are in flight until `commit`."""
        if self._leaving:
            self._let_go()
        self.deadlines.assess(now)
        self.wake_at = None
        offers = list(self._offers(now))
        if not offers:
            self.more = False
            return None
        seen, group, model = offers[0] if len(offers) == 1 else min(offers, key=lambda offer: self._rank(*offer))
        if seen is not None:
            plan = self._preview(group, model)
        else:
            plan = self._step(self._queues[group], now, len(offers) > 1)
        self.more = self._lanes > 1 and next(self._offers(now), None) is not None
        return plan

    def commit(self, plan: StepPlan, report: StepReport) -> list[Told]:
        """Take in what came of a plan."""
        told, going_on = list[Told](), list[Row]()
        if report.steps > 1:
            further = (report.steps - 1) * plan.model.costs.device_s(plan.group.graph, plan.bucket)
            self._parties.pay([row.job for row in plan.rows], further)
        for row in plan.rows:
            job = row.job
            self._count(row, report.steps)
            if job.ended:
                self._lose(row)
            elif row in report.failures:
                told.append(self._end(job, report.failures[row]))
                self._lose(row)
            elif row.finishes:
                told += self._finish(row, report)
            else:
                row.move(RowState.READY)
                row.advance()
                going_on.append(row)
                if row in report.shared:
                    job.common = report.shared[row]
                    self._wait(job)
        self._go_on(plan, going_on)
        told += self._looked_at(plan, report)
        asked = {row.job: None for row in plan.rows if row.job.generation.progress_every is not None}
        return told + [each for job in asked for each in progress(job, report.ended)]

    def _count(self, row: Row, steps: int) -> None:
        job, spared = row.job, row.spares
        job.steps += steps
        job.spared += spared
        if not job.ended:
            self.backlog_s[job.generation.priority] -= (steps + spared) * job.step_s

    def _go_on(self, plan: StepPlan, rows: Sequence[Row]) -> None:
        """Rows can be in a call again, most of them in one of the same group; not if their job has ended meanwhile."""
        again = list[Row]()
        for row in rows:
            if row.job.ended:
                self._lose(row)
            elif row.call.group is plan.group:
                again.append(row)
            else:
                self._queue(row.call.group, row.job.model).put([row])
        if again:
            self._queues[plan.group].put(again)

    def _offers(self, now: float) -> Iterator[tuple[Job | None, Group, EngineModel]]:
        """Each group with something to run; for previews, with the job whose row is seen."""
        for group, queue in self._queues.items():
            if (queue.ready or queue.available()) and not self._held(queue, now):
                yield None, group, queue.model
        for group, model, job in self._previews.offers():
            yield job, group, model

    def _held(self, queue: GroupQueue, now: float) -> bool:
        """Whether a call waits for more rows, because ``max_wait_s`` asks for that."""
        if not self._max_wait_s or queue.ready or queue.available() >= queue.cap:
            return False
        oldest = min(queue.waiting[each].oldest() for each in PRIORITIES if queue.could_begin(each))
        due = min(oldest + self._max_wait_s, self.deadlines.risk_at)
        if due <= now or any(self.deadlines.first(queue.group, each) for each in PRIORITIES):
            return False
        self.wake_at = due if self.wake_at is None else min(due, self.wake_at)
        return True

    def _rank(self, job: Job | None, group: Group, model: EngineModel) -> Rank:
        """The lowest goes first. Who cannot be in the next call does not count."""
        if job is not None:
            return self._parties.preview_rank() if self._unseen or len(self.deadlines) else (-math.inf,)
        queue = self._queues[group]
        jobs = {row.job for row in queue.ready}
        for priority in PRIORITIES:
            if queue.could_begin(priority):
                begun = sum(row.job.generation.priority == priority for row in queue.ready)
                urgent = self.deadlines.first(group, priority)
                fair = queue.waiting[priority].first() if begun < queue.cap else None
                jobs.update(found for found in (urgent, fair) if found is not None)
        return min(self._parties.rank(job) for job in jobs)

    def _step(self, queue: GroupQueue, now: float, others: bool) -> StepPlan:
        """A call of this group; ``others``: so might be one of another."""
        costs, graph = queue.model.costs, queue.group.graph
        available = -(-queue.available() // (self.idle + 1))  # those lanes that are free share
        bucket = costs.bucket_for(graph, min(costs.reach(graph, available), available))
        rows = self._compose(queue, min(bucket, available), costs.device_s(graph, bucket), now)
        strict = any(row.job.strict for row in rows)
        if strict or len(rows) != bucket:
            bucket = costs.bucket_for(graph, len(rows), queue.model.certified(graph) if strict else None)
        rows = sorted(rows[:bucket], key=lambda row: row.slot)  # a runtime has least to copy if slots keep their places
        for row in rows:
            row.move(RowState.IN_FLIGHT)
        queue.ready = [row for row in queue.ready if row.state is RowState.READY]
        if others or queue.available():
            hurried = sum(row.job.urgent for row in rows)
            self.deadlines.served(costs.device_s(graph, bucket), hurried * costs.row_s(graph))
        steps = 1 if others else run_length(queue, rows, bucket, self.deadlines)
        until = min(self.deadlines.risk_at, math.inf if self.wake_at is None else self.wake_at)
        soon = self._soon(queue, rows, steps)
        return StepPlan(queue.model, queue.group, bucket, rows, (), strict, soon, steps, until)

    def _soon(self, queue: GroupQueue, rows: Sequence[Row], steps: int) -> Sequence[Row]:
        """Who will probably begin after a call of these rows; if there are other lanes, one of those may begin them."""
        if self._lanes > 1 or not any(waiting.rows for waiting in queue.waiting.values()):
            return ()
        return queue.soon(max(0, queue.cap - sum(row.run > steps for row in rows)))

    def _compose(self, queue: GroupQueue, places: int, call_s: float, now: float) -> list[Row]:
        """Who has the places of a call, and pays for them."""
        ledger, share_s, chosen = Ledger(), call_s / places, list[Row]()
        for rows in self._takers(queue, now):
            taken = rows[: places - len(chosen)]
            chosen += taken
            ledger.pay([row.job.share for row in taken], share_s)
            if len(chosen) == places:
                break
        ledger.close()
        hurried = sum(row.job.urgent for row in chosen) if len(self.deadlines) else 0
        self._parties.haste.pay(share_s * hurried, share_s * (len(chosen) - hurried))
        return chosen

    def _takers(self, queue: GroupQueue, now: float) -> Iterator[list[Row]]:
        """Who may take a place of a call, some after others; who has not begun is alone, and begins when it is taken.

        Class by class, at risk first, and in each those that have begun before others.
        """
        calm: dict[Priority, list[Row]] = {priority: [] for priority in PRIORITIES}
        hurried = list[Row]()
        for row in queue.ready:
            job = row.job
            (hurried if job.urgent else calm[job.generation.priority]).append(row)
        hurried.sort(key=attrgetter("job.deadline"))
        for priority in self._parties.order():
            waiting, begun = queue.waiting[priority], calm[priority]
            if priority == "interactive" and self._parties.haste.others_turn and _others(begun, waiting.first()):
                yield begun + hurried
            else:
                if priority == "interactive":
                    yield from self._at_risk(queue, hurried, now)
                yield begun
            while queue.could_begin(priority) and (first := waiting.first()) is not None:
                yield [self._begin(first, queue, now)]

    def _at_risk(self, queue: GroupQueue, begun: Sequence[Row], now: float) -> Iterator[list[Row]]:
        """Rows at risk by their deadlines, those that have begun and those that have not."""
        job = self._first_at_risk(queue)
        for row in begun:
            while job is not None and job.deadline < row.job.deadline:
                yield [self._begin(job, queue, now)]
                job = self._first_at_risk(queue)
            yield [row]
        while job is not None:
            yield [self._begin(job, queue, now)]
            job = self._first_at_risk(queue)

    def _first_at_risk(self, queue: GroupQueue) -> Job | None:
        if not self.deadlines.any_at_risk:
            return None
        found = [self.deadlines.first(queue.group, each) for each in PRIORITIES if queue.could_begin(each)]
        return min((job for job in found if job is not None), key=attrgetter("deadline"), default=None)

    def _begin(self, job: Job, queue: GroupQueue, now: float) -> Row:
        """Give a job's next row a place."""
        if job.started is None:
            # Whoever had to wait for a place starts where the others are: else its old tag would keep the device from
            # all other groups until it has caught up.
            job.started = now
            job.share.join()
        row = job.prepared.pop(job.made, None) or Row(job, job.made)
        row.begin(queue.places.take(job.generation.priority))
        queue.put([row])
        job.made += 1
        queue.waiting[job.generation.priority].less(1)
        self.rows_waiting -= 1
        return row

    def _preview(self, group: Group, model: EngineModel) -> StepPlan:
        costs, graph = model.costs, group.graph
        shots = self._previews.take(group, costs.cap(graph))
        bucket = costs.smallest_bucket(graph, len(shots))
        if self._unseen:
            ledger = Ledger()
            ledger.pay([self._parties.previews], costs.device_s(graph, bucket))
            ledger.close()
        return StepPlan(model, group, bucket, shots=shots)

    def _looked_at(self, plan: StepPlan, report: StepReport) -> list[Told]:
        """Keep the shots that were taken, tell the previews that were made."""
        for shot in report.shots:
            if not shot.row.job.ended:
                self._parties.previews.join()
                self._previews.put(shot)
        return [
            (shot.row.job.generation.request_id, previewed(shot, outputs))
            for shot, outputs in report.previews.items()
            if shot.row.state not in (RowState.DONE, RowState.ENDED)
        ]

    def _finish(self, row: Row, report: StepReport) -> list[Told]:
        job, generation = row.job, row.job.generation
        row.move(RowState.DONE)
        row.steps += 1
        self._release(row)
        job.finished += 1
        told: list[Told] = [(generation.request_id, Sample(row.index, generation.seed, report.outputs[row]))]
        if job.finished == generation.n:
            self._forget(job)
            told.append((generation.request_id, Done(usage(job, report.ended))))
        return told

    def _end(self, job: Job, error: BroodError) -> Told:
        """End a job early; its rows in flight are let go at commit, the others now."""
        if job.door is not None:
            job.door.less(job.rows_open)
        self.rows_waiting -= job.rows_waiting
        self._forget(job)
        for queue in self._queues.values():
            for row in [row for row in queue.ready if row.job is job]:
                queue.ready.remove(row)
                self._lose(row)
        return job.generation.request_id, Failed(error)

    def _forget(self, job: Job) -> None:
        job.share.leave()
        self.backlog_s[job.generation.priority] -= job.work_s
        self.held_bytes -= job.held_bytes
        self._unseen -= job.generation.preview_every is None
        job.ended = True
        job.prepared.clear()  # they know their job: both would be held until the next collection of garbage
        del self.jobs[job.generation.request_id]
        self.deadlines.remove(job)

    def _lose(self, row: Row) -> None:
        """A row ends before it is finished: what was put into it is wasted."""
        in_flight = row.state is RowState.IN_FLIGHT
        self.wasted_s += (row.steps - row.behind + in_flight) * row.job.step_s
        row.move(RowState.ENDED)
        self._release(row)

    def _release(self, row: Row) -> None:
        self._previews.drop(row)
        self._places[id(row.job.model)].give_back(row.slot, row.job.generation.priority)

    def _wait(self, job: Job) -> None:
        """Let a job's rows begin, in the group of their first call."""
        self._queue(job.entrance.group, job.model).waiting[job.generation.priority].push(job)

    def _queue(self, group: Group, model: EngineModel) -> GroupQueue:
        if group not in self._queues:
            places = self._places.setdefault(id(model), Places(model.runtime.capacity))
            self._queues[group] = GroupQueue(group, model, places)
        return self._queues[group]

    def _let_go(self) -> None:
        """Of the models that are to be forgotten, those of which nothing runs."""
        running = {id(job.model) for job in self.jobs.values()}
        for model in list(self._leaving):
            places = self._places.get(id(model))
            if id(model) not in running and (places is None or places.unused):
                self._leaving = [other for other in self._leaving if other is not model]
                self._queues = {group: queue for group, queue in self._queues.items() if queue.model is not model}
                self._places.pop(id(model), None)


def _others(begun: Sequence[Row], first: Job | None) -> bool:
    """Whether anybody who is not at risk wants a place."""
    return bool(begun) or (first is not None and not first.urgent)
