"""The scheduler's contract, with hand-made reports: no graph runs here."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from brood.engine.model import EngineModel
from brood.engine.plan import StepPlan, StepReport
from brood.engine.rows import MOVES, Row, RowState, make_job
from brood.engine.scheduler import Scheduler
from brood.protocol.errors import Cancelled, DeadlineExceeded, RuntimeFailed
from brood.protocol.events import Done, Failed, Sample
from helpers.bundles import once_bundle, steps_bundle
from helpers.engine import engine_model, generation


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> EngineModel:
    return engine_model(once_bundle(tmp_path_factory.mktemp("once")))


@pytest.fixture(scope="module")
def steps(tmp_path_factory: pytest.TempPathFactory) -> EngineModel:
    return engine_model(steps_bundle(tmp_path_factory.mktemp("steps")))


def good(plan: StepPlan, now: float = 0.0) -> StepReport:
    """A report in which every row did well."""
    return StepReport(now, 0.001, {row: {"image": np.zeros(1)} for row in plan.rows if row.finishes})


def add(scheduler: Scheduler, model: EngineModel, request_id: str, now: float = 0.0, **words: Any) -> None:
    scheduler.add(make_job(generation(model, request_id, **words), model, now))


def ids(plan: StepPlan | None) -> list[tuple[str, int]]:
    assert plan is not None
    return [(row.job.generation.request_id, row.index) for row in plan.rows]


def test_nothing_to_do_is_no_plan() -> None:
    assert Scheduler().plan(0.0) is None


def test_a_large_request_is_split_into_buckets_in_order(once: EngineModel) -> None:
    scheduler = Scheduler()
    add(scheduler, once, "big", n=20, index=100)
    seen: list[int] = []
    while plan := scheduler.plan(0.0):
        assert plan.bucket <= 8
        seen += [index for _, index in ids(plan)]
        told = scheduler.commit(plan, good(plan))
    assert seen == list(range(100, 120))
    assert isinstance(told[-1][1], Done)
    assert told[-1][1].usage.rows == told[-1][1].usage.steps == 20


def test_requests_are_merged_into_one_call(once: EngineModel) -> None:
    scheduler = Scheduler()
    for name in "abcd":
        add(scheduler, once, name)
    assert sorted(ids(scheduler.plan(0.0))) == [("a", 0), ("b", 0), ("c", 0), ("d", 0)]


def test_a_small_request_does_not_wait_for_a_big_one(once: EngineModel) -> None:
    scheduler = Scheduler()
    add(scheduler, once, "big", n=500)
    plan = scheduler.plan(0.0)
    assert plan is not None
    add(scheduler, once, "small")
    scheduler.commit(plan, good(plan))
    assert ("small", 0) in ids(scheduler.plan(0.0))


def test_equal_requests_share_the_places(once: EngineModel) -> None:
    scheduler = Scheduler()
    add(scheduler, once, "a", n=40)
    add(scheduler, once, "b", n=40)
    served = {"a": 0, "b": 0}
    for _ in range(5):
        plan = scheduler.plan(0.0)
        assert plan is not None
        for name, _ in ids(plan):
            served[name] += 1
        scheduler.commit(plan, good(plan))
    assert abs(served["a"] - served["b"]) <= 1


def test_a_newcomer_does_not_catch_up_on_what_it_missed(once: EngineModel) -> None:
    scheduler = Scheduler()
    add(scheduler, once, "old", n=400)
    for _ in range(10):
        plan = scheduler.plan(0.0)
        assert plan is not None
        scheduler.commit(plan, good(plan))
    add(scheduler, once, "new", n=400)
    served = {"old": 0, "new": 0}
    for _ in range(10):
        plan = scheduler.plan(0.0)
        assert plan is not None
        for name, _ in ids(plan):
            served[name] += 1
        scheduler.commit(plan, good(plan))
    assert served["old"] >= 30


def turns_until(scheduler: Scheduler, wanted: str, limit: int, each_turn: Callable[[int], None]) -> int:
    """How many graph calls are made before one that serves the request."""
    for turn in range(limit):
        each_turn(turn)
        plan = scheduler.plan(0.0)
        if any(name == wanted for name, _ in ids(plan)):
            return turn
        assert plan is not None
        scheduler.commit(plan, good(plan))
    return limit


def test_a_steady_stream_for_one_model_does_not_starve_another(once: EngineModel, steps: EngineModel) -> None:
    """Each call is followed by more single-sample requests than it serves; the other model's turn still comes."""
    scheduler = Scheduler()
    for number in range(16):
        add(scheduler, once, f"before-{number}")
    add(scheduler, steps, "other")

    def more(turn: int) -> None:
        for number in range(9):
            add(scheduler, once, f"{turn}-{number}")

    assert turns_until(scheduler, "other", 20, more) <= 2


def test_who_cannot_start_yet_does_not_hold_the_device(once: EngineModel, steps: EngineModel) -> None:
    """All places of one model are taken by long rows and more wait for them: another model is served meanwhile."""
    scheduler = Scheduler()
    for number in range(40):
        add(scheduler, steps, f"long-{number}", steps=50)
    plan = scheduler.plan(0.0)
    assert plan is not None
    scheduler.commit(plan, good(plan))
    add(scheduler, once, "other")
    assert turns_until(scheduler, "other", 20, lambda turn: None) <= 1


def test_waiting_for_a_place_earns_no_right_to_the_device(once: EngineModel, steps: EngineModel) -> None:
    """Whenever another model's request arrives, while long rows run or just as those behind them take over."""
    for arrival in range(50):
        scheduler = Scheduler()
        for number in range(24):
            add(scheduler, steps, f"long-{number}", steps=20)
        for turn in range(arrival + 1):
            plan = scheduler.plan(0.0)
            assert plan is not None
            if turn == arrival:
                add(scheduler, once, "other")
            scheduler.commit(plan, good(plan))
        assert turns_until(scheduler, "other", 20, lambda turn: None) <= 2, arrival


def test_started_rows_continue_before_new_ones_begin(steps: EngineModel) -> None:
    scheduler = Scheduler()
    add(scheduler, steps, "a", n=8, steps=3)
    first = scheduler.plan(0.0)
    assert first is not None
    scheduler.commit(first, good(first))
    add(scheduler, steps, "b", n=8, steps=3)
    second = scheduler.plan(0.0)
    assert second is not None
    assert set(second.rows) == set(first.rows)


def test_rows_at_different_steps_and_operations_share_a_call(steps: EngineModel) -> None:
    scheduler = Scheduler()
    add(scheduler, steps, "a", steps=9)
    for _ in range(2):
        plan = scheduler.plan(0.0)
        assert plan is not None
        scheduler.commit(plan, good(plan))
    add(scheduler, steps, "b", steps=4)
    plan = scheduler.plan(0.0)
    assert sorted(ids(plan)) == [("a", 0), ("b", 0)]
    assert plan is not None
    assert {row.step for row in plan.rows} == {0, 2}


def test_a_cancelled_request_costs_no_further_step(steps: EngineModel) -> None:
    scheduler = Scheduler()
    add(scheduler, steps, "a", n=12, steps=5)
    plan = scheduler.plan(0.0)
    assert plan is not None
    ((request_id, event),) = scheduler.cancel("a")
    assert request_id == "a"
    assert isinstance(event, Failed)
    assert isinstance(event.error, Cancelled)
    assert scheduler.commit(plan, good(plan)) == []
    assert scheduler.plan(0.0) is None
    assert scheduler.cancel("a") == []
    assert scheduler.rows_waiting == 0
    assert scheduler.backlog_s == pytest.approx(0.0)


def test_a_deadline_ends_a_request_where_it_is(steps: EngineModel) -> None:
    scheduler = Scheduler()
    add(scheduler, steps, "late", deadline=10.0, steps=100)
    add(scheduler, steps, "fine", steps=2)
    assert scheduler.expire(9.9) == []
    ((request_id, event),) = scheduler.expire(10.0)
    assert request_id == "late"
    assert isinstance(event, Failed)
    assert isinstance(event.error, DeadlineExceeded)
    assert "0 of 1 samples" in event.error.message
    plan = scheduler.plan(10.0)
    assert ids(plan) == [("fine", 0)]


def test_deadlines_of_ended_requests_are_forgotten(once: EngineModel) -> None:
    scheduler = Scheduler()
    add(scheduler, once, "late", deadline=50.0, n=9000)
    for number in range(5000):
        add(scheduler, once, str(number), deadline=1e6)
        scheduler.cancel(str(number))
    assert len(scheduler._expiring) < 1100
    add(scheduler, once, "7", deadline=100.0)
    assert [name for name, _ in scheduler.expire(50.0)] == ["late"]
    assert [name for name, _ in scheduler.expire(100.0)] == ["7"]


def test_a_failed_row_fails_its_request_and_no_other(once: EngineModel) -> None:
    scheduler = Scheduler()
    add(scheduler, once, "bad", n=3)
    add(scheduler, once, "good", n=3)
    plan = scheduler.plan(0.0)
    assert plan is not None
    broken = next(row for row in plan.rows if row.job.generation.request_id == "bad")
    report = StepReport(0.0, 0.0, good(plan).outputs, {broken: RuntimeFailed("no", index=broken.index)})
    told = scheduler.commit(plan, report)
    assert sum(isinstance(event, Failed) for name, event in told if name == "bad") == 1
    assert [type(event) for name, event in told if name == "good"] == [Sample, Sample, Sample, Done]


def test_rows_move_along_the_table_only(once: EngineModel) -> None:
    job = make_job(generation(once, "a"), once, 0.0)
    for state in RowState:
        for to in RowState:
            row = Row(job, 0, 0, state=state)
            if to in MOVES[state]:
                row.move(to)
                assert row.state is to
            else:
                with pytest.raises(RuntimeError, match=f"from {state.name} to {to.name}"):
                    row.move(to)


def test_the_bucket_is_the_one_that_makes_most_rows_a_second(once: EngineModel, tmp_path: Path) -> None:
    assert [once.bucket_for("generate", rows) for rows in (1, 2, 3, 8, 9, 100)] == [1, 2, 4, 8, 8, 8]
    flat = engine_model(once_bundle(tmp_path), row_cost_s=0.001)
    steep = EngineModel(flat.name, 1, flat.programs, flat.runtime, {"generate": {1: 1.0, 2: 2.0, 4: 9.0, 8: 18.0}})
    assert steep.bucket_for("generate", 3) == 2


requests = st.lists(
    st.tuples(st.integers(1, 12), st.integers(1, 6), st.integers(0, 15), st.sampled_from(["keep", "cancel", "fail"])),
    min_size=1,
    max_size=8,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(requests=requests)
def test_no_row_is_lost_or_run_twice(steps: EngineModel, requests: list[tuple[int, int, int, str]]) -> None:
    """Whatever arrives when and is cancelled or fails: survivors get each sample once, after exactly K+1 calls."""
    scheduler, calls = Scheduler(), dict[tuple[str, int], int]()
    told: dict[str, list[object]] = {str(number): [] for number in range(len(requests))}
    turn = 0
    while True:
        for number, (n, k, arrives, _) in enumerate(requests):
            if arrives == turn:
                add(scheduler, steps, str(number), n=n, steps=k)
        plan = scheduler.plan(float(turn))
        events = []
        if plan is not None:
            assert 0 < len(plan.rows) <= plan.bucket
            assert len({row.slot for row in plan.rows}) == len(plan.rows)
            for row in plan.rows:
                key = (row.job.generation.request_id, row.index)
                calls[key] = calls.get(key, 0) + 1
            failing = [row for row in plan.rows if requests[int(row.job.generation.request_id)][3] == "fail"]
            events = scheduler.commit(
                plan, StepReport(0.0, 0.0, good(plan).outputs, {row: RuntimeFailed("x") for row in failing})
            )
        for number, (_, _, arrives, fate) in enumerate(requests):
            if fate == "cancel" and turn == arrives + 2:
                events += scheduler.cancel(str(number))
        for name, event in events:
            told[name].append(event)
        turn += 1
        if plan is None and turn > 20:
            break
    for number, (n, k, _, fate) in enumerate(requests):
        name = str(number)
        if fate == "keep":
            assert [event.index for event in told[name] if isinstance(event, Sample)] == sorted(range(n))
            assert isinstance(told[name][-1], Done)
            assert all(calls[name, index] == k + 1 for index in range(n))
        assert sum(isinstance(event, Done | Failed) for event in told[name]) == 1
    assert scheduler.rows_waiting == 0
    assert scheduler.backlog_s == pytest.approx(0.0, abs=1e-9)
    assert not scheduler.jobs
