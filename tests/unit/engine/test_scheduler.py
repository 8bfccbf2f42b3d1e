"""The scheduler's contract, with hand-made reports: no graph runs here."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from brood.engine.scheduler import Scheduler
from brood.protocol.errors import Cancelled, DeadlineExceeded, RuntimeFailed
from brood.protocol.events import Done, Failed, Preview, Progress, Sample
from helpers.paper import Paper, ids, linear, paper_model

STEP_S, MODEL = 3.0, paper_model()  # seconds of a call of eight rows


def score(paper: Paper, request_id: str, **words: object) -> None:
    """A request whose rows take one call each."""
    paper.submit(MODEL, request_id, operation="score", **words)


def test_nothing_to_do_is_no_plan() -> None:
    assert Scheduler().plan(0.0) is None


def test_a_large_request_is_split_into_buckets_in_order() -> None:
    paper = Paper()
    score(paper, "big", n=20, index=100)
    plans = list(paper.run())
    assert [plan.bucket for plan in plans] == [8, 8, 4]
    assert [sorted(index for _, index in ids(plan)) for plan in plans] == [
        list(range(100, 108)),
        list(range(108, 116)),
        list(range(116, 120)),
    ]
    done = paper.ending("big")
    assert isinstance(done, Done)
    assert (done.usage.rows, done.usage.steps) == (20, 20)
    assert (done.usage.queue_ms, done.usage.run_ms) == (0.0, 1e3 * paper.now)


def test_requests_are_merged_into_one_call() -> None:
    paper = Paper()
    for name in "abcd":
        score(paper, name)
    assert sorted(ids(paper.begin())) == [("a", 0), ("b", 0), ("c", 0), ("d", 0)]


def test_rows_that_cannot_share_a_graph_are_not_merged() -> None:
    paper, other = Paper(), paper_model("other")
    for name, model in (("a", MODEL), ("b", other)):
        paper.submit(model, f"{name}-steps", steps=3)
        paper.submit(model, f"{name}-score", operation="score")
    while (plan := paper.begin()) is not None:
        assert all(row.call.group is plan.group and row.job.model is plan.model for row in plan.rows)
        paper.finish(plan)
    assert all(isinstance(paper.ending(name), Done) for name in ("a-steps", "a-score", "b-steps", "b-score"))


def test_a_small_request_does_not_wait_for_a_big_one() -> None:
    paper = Paper()
    score(paper, "big", n=500)
    plan = paper.begin()
    assert plan is not None
    score(paper, "small")
    paper.finish(plan)
    assert ("small", 0) in ids(paper.begin())


def turns_until(paper: Paper, wanted: str, limit: int, each_turn: Callable[[int], None] = lambda turn: None) -> int:
    """How many graph calls are made before one that serves the request."""
    for turn in range(limit):
        each_turn(turn)
        if any(name == wanted for name, _ in ids(paper.step())):
            return turn
    return limit


def test_a_steady_stream_for_one_model_does_not_starve_another() -> None:
    """Each call is followed by more single-sample requests than it serves; the other model's turn still comes."""
    paper = Paper()
    for number in range(16):
        score(paper, f"before-{number}")
    paper.submit(paper_model("other"), "other")

    def more(turn: int) -> None:
        for number in range(9):
            score(paper, f"{turn}-{number}")

    assert turns_until(paper, "other", 20, more) <= 2


def test_who_cannot_start_yet_does_not_hold_the_device() -> None:
    """All places of one model are taken by long rows and more wait for them: another model is served meanwhile."""
    paper = Paper()
    for number in range(40):
        paper.submit(MODEL, f"long-{number}", steps=50)
    paper.step()
    paper.submit(paper_model("other"), "other")
    assert turns_until(paper, "other", 20) <= 1


@pytest.mark.parametrize("arrival", range(0, 50, 3))
def test_waiting_for_a_place_earns_no_right_to_the_device(arrival: int) -> None:
    """Whenever another model's request arrives, while long rows run or just as those behind them take over."""
    paper = Paper()
    for number in range(24):
        paper.submit(MODEL, f"long-{number}", steps=20)
    for _ in range(arrival):
        paper.step()
    plan = paper.begin()
    assert plan is not None
    paper.submit(paper_model("other"), "other")
    paper.finish(plan)
    assert turns_until(paper, "other", 20) <= 2


def test_a_class_is_not_kept_from_a_model_by_the_rows_of_another_class_there() -> None:
    """One model's call is full of bulk rows: an interactive request there goes before another model's interactive."""
    paper, other = Paper(), paper_model("other")
    paper.submit(MODEL, "bulk", n=8, steps=50, priority="bulk")
    paper.step()
    paper.submit(MODEL, "here", tenant="here")
    for number in range(200):
        paper.submit(other, f"stream-{number}", operation="score", tenant=f"t{number}")
    assert turns_until(paper, "here", 20) <= 1


def test_started_rows_continue_before_new_ones_begin() -> None:
    paper = Paper()
    paper.submit(MODEL, "a", n=8, steps=3)
    first = paper.step()
    paper.submit(MODEL, "b", n=8, steps=3)
    second = paper.step()
    assert first is not None
    assert second is not None
    assert set(second.rows) == set(first.rows)


def test_rows_at_different_steps_share_a_call() -> None:
    paper = Paper()
    paper.submit(MODEL, "a", steps=9)
    paper.step()
    paper.step()
    paper.submit(MODEL, "b", steps=4)
    plan = paper.begin()
    assert sorted(ids(plan)) == [("a", 0), ("b", 0)]
    assert plan is not None
    assert {row.step for row in plan.rows} == {0, 2}


def test_a_step_is_made_by_the_variant_where_the_schedule_says_so() -> None:
    paper = Paper()
    paper.submit(MODEL, "a", steps=3, temperature=0.5)
    assert [plan.group.graph for plan in paper.run()] == ["step", "hot", "hot", "finish"]


def test_interactive_rows_take_the_places_of_bulk_rows_and_give_them_back() -> None:
    paper = Paper()
    paper.submit(MODEL, "bulk", n=8, steps=20, priority="bulk")
    paper.step()
    paper.submit(MODEL, "now", n=8, steps=5)
    plans = list(paper.run())
    first = [name for name, _ in ids(plans[0])]
    assert first.count("now") >= 7
    assert paper.ended["now"] < paper.ended["bulk"]
    assert all(paper.rows(name) == (20 + 1 if name == "bulk" else 5 + 1) * 8 for name in ("now", "bulk"))


def test_a_quarter_of_the_slots_is_kept_from_bulk() -> None:
    paper, model = Paper(), paper_model(costs={"step": linear(1.0, 0.01, (1, 2, 4, 8, 16, 32))}, capacity=16)
    paper.submit(model, "bulk", n=40, priority="bulk")
    assert len(ids(paper.step())) == 12
    paper.submit(model, "now", n=40)
    plan = paper.begin()
    assert [name for name, _ in ids(plan)].count("now") == 4
    assert plan is not None
    assert len(plan.rows) == 16


def test_a_cancelled_request_costs_no_further_step() -> None:
    paper = Paper()
    paper.submit(MODEL, "a", n=12, steps=5)
    plan = paper.begin()
    assert plan is not None
    paper.cancel("a")
    failed = paper.ending("a")
    assert isinstance(failed, Failed)
    assert isinstance(failed.error, Cancelled)
    paper.finish(plan)
    assert paper.begin() is None
    paper.cancel("a")
    assert paper.told["a"] == [failed]
    assert paper.scheduler.wasted_s == pytest.approx(8 * STEP_S / 8)


def test_a_deadline_ends_a_request_where_it_is() -> None:
    paper = Paper()
    paper.submit(MODEL, "late", deadline=10.0, steps=100)
    paper.submit(MODEL, "fine", steps=2)
    paper.now = 9.9
    paper.begin()
    assert paper.ending("late") is None
    paper.now = 10.0
    plan = paper.scheduler.expire(paper.now)
    ((request_id, event),) = plan
    assert request_id == "late"
    assert isinstance(event, Failed)
    assert isinstance(event.error, DeadlineExceeded)
    assert event.error.field == "deadline_ms"
    assert "0 of 1 samples" in event.error.message


def test_a_failed_row_fails_its_request_and_no_other() -> None:
    paper = Paper(fails=lambda row: RuntimeFailed("no", index=row.index) if row.index == 11 else None)
    score(paper, "bad", n=3, index=10)
    score(paper, "good", n=3)
    plan = paper.step()
    assert plan is not None
    failed = paper.ending("bad")
    assert isinstance(failed, Failed)
    assert failed.error.index == 11
    assert [type(event) for event in paper.told["bad"]] == [Sample, Failed]
    assert [type(event) for event in paper.told["good"]] == [Sample, Sample, Sample, Done]


def test_exact_rows_run_at_certified_buckets_only() -> None:
    paper, model = Paper(), paper_model(exact={"step": frozenset({1, 4}), "finish": frozenset({2})})
    paper.submit(model, "exact", n=7, steps=2, exact=True)
    buckets = {(plan.group.graph, plan.bucket) for plan in paper.run()}
    assert buckets <= {("step", 1), ("step", 4), ("finish", 2)}
    assert isinstance(paper.ending("exact"), Done)
    paper.submit(model, "any", n=8)
    assert {plan.bucket for plan in paper.run()} == {8}


def test_progress_is_told_every_so_many_steps_with_the_time_left() -> None:
    paper = Paper()
    paper.submit(MODEL, "a", n=2, steps=9, progress_every=3)
    list(paper.run())
    told = paper.of("a", Progress)
    assert [event.steps for event in told] == [6, 12, 18]
    assert all((event.of, event.n, event.finished) == (20, 2, 0) for event in told)
    call_s = MODEL.costs.seconds("step", 2)
    assert [event.eta_s for event in told] == pytest.approx([7 * call_s, 4 * call_s, call_s])


def test_a_preview_is_a_call_of_its_own_for_rows_that_asked() -> None:
    paper, model = Paper(), paper_model(costs={"preview": linear(0.05, 0.01)})
    paper.submit(model, "seen", n=2, steps=7, preview_every=3)
    paper.submit(model, "other", n=2, steps=7)
    graphs = [plan.group.graph for plan in paper.run()]
    assert graphs.count("preview") == 2
    assert graphs.count("step") == 7
    assert [(event.index, event.step, event.of) for event in paper.of("seen", Preview)] == [
        (0, 3, 8),
        (1, 3, 8),
        (0, 6, 8),
        (1, 6, 8),
    ]
    assert paper.of("other", Preview) == []


def test_no_preview_is_made_of_what_has_ended() -> None:
    paper = Paper()
    paper.submit(MODEL, "gone", steps=9, preview_every=1)
    paper.step()
    paper.cancel("gone")
    assert paper.step() is None
    paper.submit(MODEL, "going", steps=9, preview_every=1)
    paper.step()
    plan = paper.begin()
    assert plan is not None
    assert plan.shots
    paper.cancel("going")
    paper.finish(plan)
    assert paper.of("going", Preview) == []


def test_previews_take_a_small_part_of_the_device_from_others() -> None:
    """Previews of every step are asked for, and cost as much as a step: steps of others hardly wait."""
    paper = Paper()
    paper.submit(MODEL, "other", steps=400)
    for number in range(15):
        paper.submit(MODEL, str(number), steps=200, preview_every=1)
    plans = [plan for plan, _ in zip(paper.run(), range(300), strict=False)]
    shown = sum(plan.group.graph == "preview" for plan in plans)
    assert 5 < shown < 30


def test_all_previews_are_made_where_nobody_is_kept_waiting_by_them() -> None:
    paper = Paper()
    paper.submit(MODEL, "a", n=2, steps=20, preview_every=2)
    paper.submit(MODEL, "b", n=2, steps=20, preview_every=4)
    list(paper.run())
    assert [event.step for event in paper.of("a", Preview) if event.index == 0] == list(range(2, 21, 2))
    assert len(paper.of("b", Preview)) == 2 * 5


def test_previews_made_before_do_not_count_where_nobody_is_kept_waiting() -> None:
    paper = Paper()
    paper.submit(MODEL, "other", steps=30)
    paper.submit(MODEL, "a", steps=30, preview_every=1)
    list(paper.run())
    paper.submit(MODEL, "b", steps=9, preview_every=3)
    list(paper.run())
    assert [event.step for event in paper.of("b", Preview)] == [3, 6, 9]


def test_with_max_wait_a_call_that_would_not_be_full_waits_for_more() -> None:
    paper = Paper(Scheduler(max_wait_s=2.0))
    score(paper, "a")
    assert paper.begin() is None
    assert paper.scheduler.wake_at == 2.0
    paper.now = 1.0
    score(paper, "b", n=7)
    assert len(ids(paper.step())) == 8
    score(paper, "c")
    arrived = paper.now
    assert paper.begin() is None
    paper.now = arrived + 2.0
    assert ids(paper.begin()) == [("c", 0)]


def test_with_max_wait_nobody_who_is_at_risk_is_held_back() -> None:
    paper = Paper(Scheduler(max_wait_s=60.0))
    score(paper, "a", deadline=40.0)
    assert paper.begin() is None
    risk_at = paper.scheduler.wake_at
    assert risk_at is not None
    assert 0.0 < risk_at < 40.0 - STEP_S
    paper.now = risk_at
    assert ids(paper.begin()) == [("a", 0)]


def test_with_max_wait_rows_that_have_begun_do_not_wait() -> None:
    paper = Paper(Scheduler(max_wait_s=2.0))
    score(paper, "a", n=8)
    paper.submit(MODEL, "b", n=8, steps=3)
    assert len(list(paper.run())) == 1 + 3 + 1
