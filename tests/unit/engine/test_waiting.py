"""Whose row begins next."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brood.engine.fair import Ledger, Share
from brood.engine.rows import Job
from brood.engine.waiting import Waiting
from helpers.paper import paper_job, paper_model

MODEL = paper_model()


def waits(waiting: Waiting, tenant: Share, name: str, n: int = 1, steps: int = 4) -> Job:
    """One more job of a tenant."""
    job = paper_job(MODEL, name, n=n, steps=steps)
    job.share = Share(tenant)
    job.share.enter()
    waiting.push(job)
    return job


def begin(waiting: Waiting, job: Job, seconds: float = 1.0) -> None:
    """A row of it begins and is paid for."""
    job.made += 1
    waiting.less(1)
    ledger = Ledger()
    ledger.pay([job.share], seconds)
    ledger.close()


def orders(waiting: Waiting) -> list[Job]:
    """Whose rows begin, one after another."""
    found = []
    while (job := waiting.first()) is not None:
        found.append(job)
        begin(waiting, job)
    return found


def test_tenants_take_turns_and_the_rows_of_a_request_go_together() -> None:
    waiting, device = Waiting(), Share()
    a, b = Share(device), Share(device)
    one, two = waits(waiting, a, "1", n=3), waits(waiting, a, "2", n=3)
    three = waits(waiting, b, "3", n=3)
    order = orders(waiting)
    assert order[:6:2] == [one, one, one]
    assert order[1:6:2] == [three, three, three]
    assert order[6:] == [two, two, two]
    assert waiting.rows == 0


def test_of_a_tenant_whoever_would_finish_first_with_equal_shares_is_first() -> None:
    waiting, tenant = Waiting(), Share(Share())
    long, short = waits(waiting, tenant, "long", n=4, steps=50), waits(waiting, tenant, "short", n=2)
    begin(waiting, long, seconds=1.0)
    later = waits(waiting, tenant, "later", n=2)
    assert orders(waiting) == [short, short, later, later, long, long, long]


def test_short_requests_that_keep_coming_do_not_starve_a_long_one() -> None:
    waiting, tenant = Waiting(), Share(Share())
    long = waits(waiting, tenant, "long", steps=20)
    for turn in range(100):
        short = waits(waiting, tenant, str(turn))
        job = waiting.first()
        assert job is not None
        begin(waiting, job, seconds=job.row_s)
        job.share.leave()
        if job is long:
            break
        assert job is short or turn > 0
    assert job is long


def test_jobs_that_have_no_more_rows_to_begin_are_passed_over() -> None:
    waiting, tenant = Waiting(), Share(Share())
    gone, here = waits(waiting, tenant, "gone", n=5), waits(waiting, tenant, "here")
    waiting.less(gone.rows_waiting)
    gone.ended = True
    assert waiting.first() is here
    assert waiting.soon(8) in ([here], [])
    assert waiting.rows == 1


def test_nothing_is_kept_when_nobody_waits() -> None:
    waiting, tenant = Waiting(), Share(Share())
    gone = waits(waiting, tenant, "gone", n=5)
    waiting.less(gone.rows_waiting)
    gone.ended = True
    assert not waiting._tenants
    assert waiting.first() is None
    assert waiting.soon(8) == []


def test_the_oldest_is_the_one_that_arrived_first() -> None:
    waiting, device = Waiting(), Share()
    for number, arrived in enumerate((3.0, 1.0, 2.0)):
        waits(waiting, Share(device), str(number)).arrived = arrived
    assert waiting.oldest() == 1.0


def test_those_whose_turn_is_near_are_of_the_lowest_tenant() -> None:
    waiting, device = Waiting(), Share()
    a, b = Share(device), Share(device)
    first, _ = waits(waiting, a, "1", n=2), waits(waiting, b, "2", n=2)
    assert waiting.soon(8) == [first]
    begin(waiting, first)
    assert [job.generation.request_id for job in waiting.soon(8)] == ["2"]


def test_a_share_must_have_a_tenant() -> None:
    with pytest.raises(RuntimeError, match="a part of its tenant's"):
        Waiting().push(paper_job(MODEL, "a"))


@settings(max_examples=60, deadline=None)
@given(jobs=st.lists(st.tuples(st.integers(0, 3), st.integers(1, 5), st.floats(0.1, 3.0)), min_size=1, max_size=12))
def test_first_is_always_the_lowest(jobs: list[tuple[int, int, float]]) -> None:
    """The heaps say what a look at everybody would."""
    waiting, device = Waiting(), Share()
    tenants = [Share(device) for _ in range(4)]
    here = [(waits(waiting, tenants[tenant], str(i), n), price) for i, (tenant, n, price) in enumerate(jobs)]
    prices, works = dict(here), {job: (job.work_s, job.order) for job, _ in here}
    while (job := waiting.first()) is not None:
        left = [other for other in prices if other.rows_waiting]
        tenant = min(other.share.parent.tag for other in left if other.share.parent is not None)
        assert job.share.parent is not None
        assert job.share.parent.tag == tenant
        assert works[job] == min(works[other] for other in left if other.share.parent is job.share.parent)
        begin(waiting, job, prices[job])
    assert not any(job.rows_waiting for job in prices)
