"""What is let in, and what those who are not are told."""

from __future__ import annotations

from typing import Any

import pytest

from brood.engine.admission import SHORTEST_RETRY_S, Admission
from brood.protocol.errors import DeadlineInfeasible, InvalidArgument, Overloaded
from brood.protocol.events import Done
from helpers.paper import Paper, linear, paper_model

MODEL = paper_model()  # a row of operation "score" takes 0.375 s, a call of eight 3 s
ROW_BYTES = 8


def paper(backlog_s: float = 30.0, held_bytes: int = 10**6) -> Paper:
    return Paper(admission=Admission(backlog_s, held_bytes))


def ask(where: Paper, request_id: str, n: int = 8, **words: Any) -> None:
    where.submit(MODEL, request_id, n=n, operation="score", **words)


def refused(where: Paper, n: int = 8, **words: Any) -> Overloaded:
    with pytest.raises(Overloaded) as error:
        ask(where, "refused", n, **words)
    assert error.value.retry_after_s is not None
    assert error.value.retry_after_s >= SHORTEST_RETRY_S
    assert f"try again in {error.value.retry_after_s:.1f} s" in error.value.message
    return error.value


def admitted_after(where: Paper, error: Overloaded, **words: Any) -> None:
    """The device works for as long as the refusal said, and then the same request is let in."""
    back = where.now + (error.retry_after_s or 0.0)
    list(where.run(until=back))
    where.now = max(where.now, back)
    ask(where, "again", **words)


def worn(where: Paper) -> None:
    """Some work has been done, of which the rounding of sums has left a little."""
    model = paper_model(costs={"finish": linear(1.1, 0.05), "step": linear(0.05, 1.1)})
    admission, where.admission = where.admission, None
    for number in range(7):
        where.submit(model, f"worn-{number}", n=3 + number, steps=3 + number)
    list(where.run())
    where.admission = admission
    assert 0 < where.scheduler.backlog_s["interactive"] < 1e-9


def test_a_queue_is_bounded_in_predicted_seconds() -> None:
    here = paper(backlog_s=30.0)
    for number in range(10):
        ask(here, str(number))
    error = refused(here)
    assert error.retry_after_s == pytest.approx(3.0)
    assert "30 s of work are waiting and 3 s more would exceed the queue's 30 s" in error.message
    admitted_after(here, error, n=8)


def test_each_class_waits_for_those_before_it_only() -> None:
    here = paper(backlog_s=30.0)
    for number in range(10):
        ask(here, f"bulk-{number}", priority="bulk")
    refused(here, priority="bulk")
    for number in range(10):
        ask(here, f"now-{number}")
    refused(here)
    error = refused(here, priority="bulk")
    assert error.retry_after_s == pytest.approx(33.0)
    admitted_after(here, error, n=8, priority="bulk")


def test_a_request_larger_than_the_queue_is_let_in_if_nothing_is_before_it() -> None:
    here = paper(backlog_s=1.0)
    ask(here, "first", n=7)
    error = refused(here, n=800)
    admitted_after(here, error, n=800)
    list(here.run())
    assert isinstance(here.ending("again"), Done)


def test_what_has_ended_leaves_nothing_behind_that_could_refuse_others() -> None:
    """Sums of predicted seconds are rounded: a large request is let in all the same when everything has ended."""
    here = paper(backlog_s=1.0)
    worn(here)
    assert not here.scheduler.jobs
    ask(here, "large", n=1000)


def test_more_samples_than_memory_holds_are_never_let_in() -> None:
    here = paper(held_bytes=10 * ROW_BYTES)
    with pytest.raises(InvalidArgument) as error:
        ask(here, "a", n=11)
    assert error.value.field == "n"
    assert error.value.message.startswith("n: 11 is not allowed; allowed: 1 ≤ n ≤ 10 (memory")
    ask(here, "b", n=10)


def test_running_requests_hold_memory_until_they_end() -> None:
    here = paper(held_bytes=20 * ROW_BYTES)
    ask(here, "a", n=8)
    ask(here, "b", n=8)
    error = refused(here, n=8)
    assert "running requests hold 128 bytes and 64 more would exceed 160" in error.message
    admitted_after(here, error, n=8)
    here.cancel("again")
    list(here.run())
    assert here.scheduler.held_bytes == 0


@pytest.mark.parametrize("left_s", [2.9, 0.0, -5.0])
def test_a_deadline_that_an_idle_device_could_not_meet_is_refused_for_good(left_s: float) -> None:
    here = paper()
    here.now = 100.0
    with pytest.raises(DeadlineInfeasible) as error:
        ask(here, "a", deadline=100.0 + left_s)
    assert error.value.field == "deadline_ms"
    assert f"{1e3 * max(left_s, 0.0):.3g} ms are left, and these samples take about 3e+03 ms" in error.value.message


@pytest.mark.parametrize(("n", "left_s"), [(8, 3.01), (1, 1.26)])
def test_on_an_idle_device_a_deadline_may_be_as_tight_as_can_be_met(n: int, left_s: float) -> None:
    """Also after work whose sum of predicted seconds did not come out as zero, and in a call that is not full."""
    here = paper()
    worn(here)
    ask(here, "tight", n=n, deadline=here.now + left_s)
    list(here.run())
    assert isinstance(here.ending("tight"), Done)


def test_a_tight_deadline_is_refused_while_anything_runs_and_let_in_afterwards() -> None:
    here = paper()
    ask(here, "a", n=16)
    error = refused(here, n=8, deadline=here.now + 3.1)
    assert error.retry_after_s == pytest.approx(6.0)
    admitted_after(here, error, n=8, deadline=here.now + 6.0 + 3.1)
    list(here.run())
    assert isinstance(here.ending("again"), Done)


def test_deadlines_that_were_promised_are_kept_by_refusing_others() -> None:
    here = paper()
    ask(here, "promised", n=40, deadline=40.0)
    error = refused(here, n=40, deadline=20.0)
    assert "the deadline would be missed, or another's" in error.message
    assert error.retry_after_s is not None
    admitted_after(here, error, n=40, deadline=error.retry_after_s + 20.0)
    list(here.run())
    assert isinstance(here.ending("promised"), Done)
    assert isinstance(here.ending("again"), Done)


def test_work_without_a_deadline_does_not_keep_those_that_have_one_out() -> None:
    here = paper(backlog_s=1000.0)
    ask(here, "long", n=800)
    ask(here, "soon", n=8, deadline=10.0)
    list(here.run(until=12.0))
    assert isinstance(here.ending("soon"), Done)


def test_the_cost_of_both_graphs_of_a_variant_counts() -> None:
    costs = {"hot": linear(10.0, 2.5)}
    here, model = paper(), paper_model(costs=costs)
    with pytest.raises(DeadlineInfeasible):
        here.submit(model, "hot", steps=4, temperature=2.0, deadline=20.0)
    here.submit(model, "usual", steps=4, deadline=20.0)
