"""Who has missed a deadline, who is at risk, and whether one more fits."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brood.engine.deadlines import OTHERS, OWN, RISK, Deadlines
from brood.engine.rows import Job
from helpers.paper import linear, paper_job, paper_model

MODEL = paper_model(costs={"finish": linear(0.0, 1.0, (1,))})  # a row takes a second, one after another
GROUP = paper_job(MODEL, "any", operation="score").legs[0].call(0).group


def work(deadline: float | None, seconds: int = 1, **words: Any) -> Job:
    """A job of so many seconds."""
    return paper_job(MODEL, f"{deadline}-{seconds}", operation="score", n=seconds, deadline=deadline, **words)


def running(*jobs: Job) -> Deadlines:
    deadlines = Deadlines()
    for job in jobs:
        deadlines.add(job)
    return deadlines


def test_a_deadline_is_missed_at_its_time() -> None:
    early, late, never = work(5.0), work(7.0), work(None)
    deadlines = running(late, never, early)
    assert len(deadlines) == 2
    assert deadlines.missed(4.999) == []
    assert deadlines.missed(5.0) == [early]
    assert deadlines.missed(100.0) == [early, late]


def test_those_that_have_ended_are_forgotten() -> None:
    jobs = [work(float(deadline)) for deadline in (5, 5, 5, 9)]
    deadlines = running(*jobs)
    deadlines.assess(4.9)
    for job in (jobs[1], jobs[3], jobs[0], jobs[2]):
        deadlines.remove(job)
        assert job not in deadlines.missed(100.0)
    deadlines.remove(work(None))
    assert len(deadlines) == 0
    assert deadlines.first(GROUP, "interactive") is None
    assert deadlines.risk_at == math.inf
    assert not deadlines._urgent


def test_a_request_is_at_risk_when_it_takes_more_than_a_part_of_the_time_left() -> None:
    job = work(100.0, 10)
    deadlines = running(job)
    deadlines.assess(0.0)
    before = job.urgent
    assert deadlines.risk_at == 100.0 - 10 / RISK
    deadlines.assess(deadlines.risk_at + 0.01)
    assert (before, job.urgent) == (False, True)
    assert deadlines.first(GROUP, "interactive") is job
    assert deadlines.first(GROUP, "bulk") is None


def test_whoever_is_before_a_request_at_risk_is_so_too() -> None:
    first, second, third = work(200.0, 30), work(210.0, 30), work(10_000.0, 10)
    deadlines = running(third, second, first)
    deadlines.assess(0.0)
    assert [job.urgent for job in (first, second, third)] == [True, True, False]
    alone = running(first)
    alone.assess(0.0)
    assert not first.urgent


def test_the_earliest_with_rows_to_begin_is_first() -> None:
    jobs = [work(20.0, 5), work(18.0, 5), work(19.0, 5, priority="bulk")]
    deadlines = running(*jobs)
    deadlines.assess(0.0)
    assert deadlines.first(GROUP, "interactive") is jobs[1]
    assert deadlines.first(GROUP, "bulk") is jobs[2]
    jobs[1].made = 5
    assert deadlines.first(GROUP, "interactive") is jobs[0]


def test_risk_is_not_assessed_again_at_once() -> None:
    job = work(100.0, 10)
    deadlines = running(job)
    deadlines.assess(100.0 - 10 / RISK - 1e-5)
    assert not job.urgent
    deadlines.assess(100.0 - 10 / RISK + 1e-5)
    assert not job.urgent
    deadlines.assess(100.0 - 10 / RISK + 0.1)
    assert job.urgent


def test_work_that_is_due_before_and_its_own_must_fit() -> None:
    deadlines = running(work(50.0, 10), work(1000.0, 10))
    fits = OTHERS * 10 + OWN * 5
    assert deadlines.wait_s(work(fits + 50.0 + 0.01, 5), 0.0) == 0.0
    assert deadlines.wait_s(work(60.0, 5), 0.0) == 0.0
    assert deadlines.wait_s(work(50.0, 30), 0.0) > 0.0


def test_a_deadline_that_was_promised_is_not_given_up_for_an_earlier_one() -> None:
    promised = work(60.0, 20)
    deadlines = running(promised)
    assert deadlines.wait_s(work(40.0, 5), 0.0) == 0.0
    assert deadlines.wait_s(work(40.0, 25), 0.0) > 0.0
    assert running().wait_s(work(40.0, 25), 0.0) == 0.0


def test_rows_at_risk_that_do_not_share_calls_take_more_than_predicted() -> None:
    deadlines = running(work(50.0, 10))
    assert deadlines.wait_s(work(60.0, 10), 0.0) == 0.0
    for _ in range(20):
        deadlines.served(3.0, 1.0)
    assert deadlines.dilution == pytest.approx(3.0)
    assert deadlines.wait_s(work(60.0, 10), 0.0) > 0.0
    for _ in range(2000):
        deadlines.served(3.0, 3.0)
        deadlines.served(3.0, 0.0)
    assert deadlines.dilution == pytest.approx(1.0)


FINE = paper_model(costs={"finish": linear(0.0, 0.001, (1,))})  # a row takes a millisecond


@settings(max_examples=100, deadline=None)
@given(
    others=st.lists(st.tuples(st.integers(1, 300), st.integers(1, 60)), max_size=8),
    left=st.integers(5, 300),
    share=st.floats(0.01, 1 / OWN),
)
def test_after_the_wait_the_same_request_fits(others: list[tuple[int, int]], left: int, share: float) -> None:
    """So many seconds later, spent on what is due first, the same request (as long before its deadline) fits in."""

    def fine(deadline: float, seconds: float) -> Job:
        return paper_job(FINE, "a", operation="score", n=max(1, round(1000 * seconds)), deadline=deadline)

    jobs = [fine(float(deadline), seconds) for deadline, seconds in sorted(others)]
    wait = running(*jobs).wait_s(fine(float(left), share * left), 0.0)
    assert 0.0 <= wait <= sum(seconds for _, seconds in others) + 1e-6
    spent = math.ceil(1000 * wait)
    for job in jobs:
        job.steps = job.finished = min(spent, job.generation.n)
        spent -= job.finished
    later = running(*(job for job in jobs if job.finished < job.generation.n))
    assert later.wait_s(fine(wait + left, share * left), wait) == pytest.approx(0.0, abs=0.01)
