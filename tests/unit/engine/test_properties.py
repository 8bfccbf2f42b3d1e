"""Proofs by trial: whatever is asked for, whenever, and whatever fails, the scheduler keeps its contract."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import cycle
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brood.engine.admission import Admission
from brood.engine.model import EngineModel
from brood.engine.plan import StepPlan
from brood.engine.rows import Job, Row, RowState
from brood.engine.scheduler import Scheduler
from brood.protocol.errors import BroodError, Cancelled, DeadlineExceeded, RuntimeFailed
from brood.protocol.events import Done, Failed, Preview, Sample
from brood.protocol.requests import Priority
from helpers.paper import BUCKETS, Paper, linear, paper_model

CERTIFIED = {
    "encode": frozenset({2, 8}),
    "step": frozenset({1, 4}),
    "hot": frozenset({2}),
    "finish": frozenset({8}),
    "preview": frozenset(BUCKETS),
}
Fate = Literal["keep", "cancel", "cancel in flight", "fail"]


@dataclass(frozen=True)
class Ask:
    """One random request."""

    turn: int  # of its arrival
    model: int
    n: int
    steps: int
    temperature: float
    operation: str
    priority: Priority
    tenant: str
    slack: float | None  # its deadline is so many times later than it would take alone
    exact: bool
    preview_every: int | None
    fate: Fate
    after: int  # turns until its fate; of "fail": the steps of the row that fails
    enough: int | None  # steps after which every other row is done


asks = st.lists(
    st.builds(
        Ask,
        turn=st.integers(0, 12),
        model=st.integers(0, 1),
        n=st.integers(1, 10),
        steps=st.integers(1, 5),
        temperature=st.sampled_from([1.0, 0.5, 2.0]),
        operation=st.sampled_from(["generate", "led", "score"]),
        priority=st.sampled_from(["interactive", "bulk"]),
        tenant=st.sampled_from("abc"),
        slack=st.sampled_from([None, None, 1.1, 3.0, 20.0]),
        exact=st.booleans(),
        preview_every=st.sampled_from([None, None, 1, 2]),
        fate=st.sampled_from(["keep", "keep", "cancel", "cancel in flight", "fail"]),
        after=st.integers(0, 4),
        enough=st.sampled_from([None, None, 1, 3]),
    ),
    min_size=1,
    max_size=9,
)


@dataclass
class Trial:
    """Random requests on random models, with everything that must always hold looked at in every turn."""

    asks: list[Ask]
    capacity: int
    costs: dict[int, float]
    max_wait_s: float = 0.0
    admission: Admission | None = None
    makes: Callable[[StepPlan], int] = lambda plan: 1
    jobs: dict[str, Job] = field(default_factory=dict)
    refused: int = 0
    calls: Counter[tuple[str, int]] = field(default_factory=Counter)  # (request, index) → graph calls
    begun: set[Row] = field(default_factory=set)
    gone: set[str] = field(default_factory=set)  # requests whose end has been told

    def __post_init__(self) -> None:
        known = dict.fromkeys(CERTIFIED, self.costs)
        self.models: list[EngineModel] = [
            paper_model(f"m{number}", costs=known, capacity=self.capacity, exact=CERTIFIED) for number in range(2)
        ]
        scheduler = Scheduler(self.max_wait_s)
        self.paper = Paper(scheduler, self.admission, fails=self._fails, ends=self._ends, makes=self.makes)

    def run(self) -> None:
        """Until all has ended; fails if that takes more calls than there are steps to make."""
        turn, most = 0, 40 + 3 * sum(ask.n * (ask.steps + 1) for ask in self.asks)
        while turn <= 12 or self.paper.scheduler.jobs:
            assert turn < most, "it does not end"
            self._arrive(turn)
            self._meet_fate(turn, "cancel")
            plan = self.paper.begin()
            self._check_work_conservation(plan)
            if plan is not None:
                self._check_plan(plan)
                self._meet_fate(turn, "cancel in flight")
                steps = {row: row.steps for row in plan.rows}
                self.paper.finish(plan)
                self._count_run(plan, steps)
            else:
                wake_at = self.paper.scheduler.wake_at
                self.paper.now = self.paper.now + 1.0 if wake_at is None else wake_at
            self.gone.update(name for name in self.jobs if self.paper.ending(name) is not None)
            self._check_bounds()
            turn += 1
        self._check_endings()
        self._check_nothing_is_left()

    def _arrive(self, turn: int) -> None:
        for number, ask in enumerate(self.asks):
            if ask.turn != turn:
                continue
            words = {key: getattr(ask, key) for key in ("n", "operation", "priority", "tenant", "exact")}
            if ask.operation != "score":
                words |= {key: getattr(ask, key) for key in ("steps", "temperature", "preview_every")}
            alone_s = 3.0 * self.costs[8] * (ask.steps + 1)
            deadline = None if ask.slack is None else self.paper.now + ask.slack * alone_s
            try:
                job = self.paper.submit(self.models[ask.model], str(number), deadline=deadline, **words)
                self.jobs[str(number)] = job
            except BroodError:
                assert self.admission is not None
                self.refused += 1

    def _meet_fate(self, turn: int, fate: Fate) -> None:
        for name in self.jobs:
            ask = self.asks[int(name)]
            if ask.fate == fate and turn == ask.turn + ask.after:
                self.paper.cancel(name)

    def _fails(self, row: Row) -> BroodError | None:
        ask = self.asks[int(row.job.generation.request_id)]
        fails = (
            ask.fate == "fail"
            and row.position == ask.n - 1
            and row.steps - row.behind == min(ask.after, self._calls(ask, row.position) - 1)
        )
        return RuntimeFailed("no", index=row.index) if fails else None

    def _ends(self, row: Row) -> bool:
        ask = self.asks[int(row.job.generation.request_id)]
        return row.call.group.graph in ("step", "hot") and row.step + 1 == self._enough(ask, row.position)

    @staticmethod
    def _enough(ask: Ask, position: int) -> int | None:
        """After how many steps a row is told to be done."""
        return ask.enough if ask.operation != "score" and position % 2 == 0 else None

    def _calls(self, ask: Ask, position: int) -> int:
        """How many graph calls a row takes."""
        if ask.operation == "score":
            return 1
        enough = self._enough(ask, position)
        leads = ask.operation == "led" and position == 0
        return leads + 1 + (ask.steps if enough is None else min(enough, ask.steps))

    def _check_work_conservation(self, plan: StepPlan | None) -> None:
        if plan is None and not self.max_wait_s:
            assert not self.paper.scheduler.jobs

    def _check_plan(self, plan: StepPlan) -> None:
        assert 1 <= plan.size <= plan.bucket
        assert plan.bucket in BUCKETS
        assert len({row.slot for row in plan.rows}) == len(plan.rows)
        assert all(0 <= row.slot < self.capacity for row in plan.rows)
        for shot in plan.shots:
            assert shot.row.state in (RowState.READY, RowState.IN_FLIGHT), "of what has ended no preview is made"
        for row in plan.rows:
            name = row.job.generation.request_id
            assert name not in self.gone, "who has ended costs no step"
            assert row.call.group is plan.group
            assert row.state is RowState.IN_FLIGHT
            assert row.steps - row.behind == self.calls[name, row.index], "no row is run twice"
            assert not row.behind or self.calls[name, 0] > 0, "what all share is made first"
            assert not row.job.strict or plan.bucket in CERTIFIED[plan.group.graph]
            self.calls[name, row.index] += 1
        self._check_preemption(plan)
        self.begun.update(plan.rows)
        for job in self.jobs.values():
            first = sorted((row for row in self.begun if row.job is job), key=lambda row: row.order)
            assert [row.position for row in first] == sorted(row.position for row in first)

    def _count_run(self, plan: StepPlan, before: dict[Row, int]) -> None:
        """All rows of a run make the same number of calls; those that ended are not counted on by the commit."""
        going = {row.steps - before[row] for row in plan.rows if row.state is not RowState.ENDED}
        more = max([*going, 1]) - 1
        assert len(going) <= 1
        assert more < plan.steps
        for row in plan.rows:
            self.calls[row.job.generation.request_id, row.index] += more

    def _check_preemption(self, plan: StepPlan) -> None:
        """A row that has begun is left out for one that began later only by class or risk."""
        left = [row for row in self.begun if row.state is RowState.READY and row.call.group is plan.group]
        for row in left:
            for other in plan.rows:
                of_another_class = other.job.generation.priority != row.job.generation.priority
                assert other.order < row.order or of_another_class or other.job.urgent or row.job.urgent

    def _check_bounds(self) -> None:
        scheduler = self.paper.scheduler
        assert scheduler.rows_waiting == sum(job.rows_waiting for job in scheduler.jobs.values())
        assert scheduler.held_bytes == sum(job.held_bytes for job in scheduler.jobs.values())
        for priority, backlog in scheduler.backlog_s.items():
            mine = [job.work_s for job in scheduler.jobs.values() if job.generation.priority == priority]
            assert backlog == pytest.approx(sum(mine), abs=1e-6)
        if self.admission is not None:
            largest = max([job.work_s for job in self.jobs.values()], default=0.0)
            assert sum(scheduler.backlog_s.values()) <= 2 * max(self.admission.max_backlog_s, largest) + 1e-6
            assert scheduler.held_bytes <= self.admission.max_held_bytes

    def _check_endings(self) -> None:
        for name, job in self.jobs.items():
            ending, ask = self.paper.ending(name), self.asks[int(name)]
            samples = [event.index for event in self.paper.of(name, Sample)]
            assert len(set(samples)) == len(samples)
            if isinstance(ending, Done):
                assert sorted(samples) == list(range(ask.n)), "no row is lost"
                calls = [self._calls(ask, position) for position in range(ask.n)]
                assert [self.calls[name, index] for index in range(ask.n)] == calls
                assert ending.usage.steps == job.all_steps == sum(calls)
                assert ask.fate != "fail"
                continue
            assert isinstance(ending, Failed)
            match ending.error:
                case Cancelled():
                    assert ask.fate.startswith("cancel")
                case RuntimeFailed(index=index):
                    assert (ask.fate, index) == ("fail", ask.n - 1)
                case DeadlineExceeded():
                    assert ask.slack is not None
                case error:
                    pytest.fail(f"{error!r}")
            assert all(event.step < job.row_steps for event in self.paper.of(name, Preview))

    def _check_nothing_is_left(self) -> None:
        scheduler = self.paper.scheduler
        assert not scheduler.jobs
        assert not scheduler.deadlines._entries
        assert not scheduler.deadlines._urgent
        assert not list(scheduler._previews.offers())
        assert scheduler._parties._device.load == 0
        for queue in scheduler._queues.values():
            assert not queue.ready
            assert all(waiting.rows == 0 and not waiting._tenants for waiting in queue.waiting.values())
            assert sorted(queue.places._free) == list(range(self.capacity))
        assert all(row.state in (RowState.DONE, RowState.ENDED) for row in self.begun)
        assert scheduler.wasted_s >= 0
        assert (scheduler.wasted_s > 0) <= any(isinstance(self.paper.ending(name), Failed) for name in self.jobs)


capacities = st.sampled_from([1, 2, 3, 5, 8, 16])
prices = st.sampled_from([linear(1.0, 0.25), linear(0.0, 1.0), linear(1.0, 0.0), {1: 1.0, 2: 1.0, 4: 5.0, 8: 5.0}])


@settings(max_examples=100, deadline=None)
@given(asks=asks, capacity=capacities, costs=prices)
def test_the_contract_holds(asks: list[Ask], capacity: int, costs: dict[int, float]) -> None:
    Trial(asks, capacity, costs).run()


@settings(max_examples=100, deadline=None)
@given(asks=asks, capacity=capacities, costs=prices, makes=st.lists(st.integers(1, 6), min_size=1, max_size=8))
def test_the_contract_holds_in_runs(asks: list[Ask], capacity: int, costs: dict[int, float], makes: list[int]) -> None:
    """Calls of milliseconds, so that there are runs; they are interrupted after some of their calls."""
    wanted = cycle(makes)
    short = {bucket: seconds / 1000 for bucket, seconds in costs.items()}
    Trial(asks, capacity, short, makes=lambda plan: min(plan.steps, next(wanted))).run()


@settings(max_examples=40, deadline=None)
@given(asks=asks, capacity=capacities, wait=st.sampled_from([0.5, 5.0]))
def test_the_contract_holds_with_calls_that_are_held_back(asks: list[Ask], capacity: int, wait: float) -> None:
    Trial(asks, capacity, linear(1.0, 0.25), max_wait_s=wait).run()


@settings(max_examples=50, deadline=None)
@given(asks=asks, capacity=capacities, backlog=st.floats(0.1, 20.0), held=st.integers(8, 400))
def test_queues_are_bounded(asks: list[Ask], capacity: int, backlog: float, held: int) -> None:
    Trial(asks, capacity, linear(1.0, 0.25), admission=Admission(backlog, held)).run()
