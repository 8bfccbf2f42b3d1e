"""Classes, tenants and requests, and who is before whom."""

from __future__ import annotations

from typing import Any

from brood.engine import parties
from brood.engine.fair import Ledger
from brood.engine.parties import Parties
from brood.engine.rows import Job
from helpers.paper import paper_job, paper_model

MODEL = paper_model()


def job(shared: Parties, request_id: str, tenant: str = "", **words: Any) -> Job:
    made = paper_job(MODEL, request_id, tenant=tenant, **words)
    shared.enter(made)
    return made


def pay(made: Job, seconds: float) -> None:
    ledger = Ledger()
    ledger.pay([made.share], seconds)
    ledger.close()


def test_interactive_is_before_bulk_and_has_sixteen_times_its_share() -> None:
    shared = Parties()
    now, later = job(shared, "now"), job(shared, "later", priority="bulk")
    assert shared.order() == ["interactive", "bulk"]
    assert shared.rank(now) < shared.rank(later)
    pay(now, 0.1)
    assert shared.order() == ["bulk", "interactive"]
    pay(later, 1.0)
    turns = 0
    while shared.order()[0] == "interactive":
        pay(now, 1.0)
        turns += 1
    assert turns == 16


def test_tenants_come_before_requests_and_arrival_decides_what_is_equal() -> None:
    shared = Parties()
    first, second = job(shared, "1", "a"), job(shared, "2", "a")
    assert shared.rank(first) < shared.rank(second)
    pay(first, 1.0)
    assert shared.rank(second) < shared.rank(first)
    other = job(shared, "3", "b")
    pay(second, 2.0)
    assert shared.rank(other) < shared.rank(first) < shared.rank(second)


def test_who_is_at_risk_is_before_all_others_by_deadline_whatever_the_class() -> None:
    shared = Parties()
    calm = job(shared, "calm")
    bulk = job(shared, "bulk", priority="bulk", deadline=5.0)
    late = job(shared, "late", deadline=9.0)
    bulk.urgent = late.urgent = True
    assert shared.rank(bulk) < shared.rank(late) < shared.rank(calm)
    shared.haste.pay(1.0, 0.0)
    assert shared.rank(calm) < shared.rank(bulk)


def test_previews_are_a_class_with_the_lowest_weight() -> None:
    shared = Parties()
    running = job(shared, "a")
    assert shared.rank(running) < shared.preview_rank()
    pay(running, 1.0)
    assert shared.preview_rank() < shared.rank(running)


def test_tenants_without_requests_are_forgotten_in_time() -> None:
    shared = Parties()
    for number in range(3 * parties.IDLE_TENANTS):
        made = job(shared, str(number), tenant=str(number))
        pay(made, 0.5)
        made.share.leave()
        assert len(shared._tenants) <= parties.IDLE_TENANTS + 1


def test_a_tenant_that_has_had_more_than_the_others_is_remembered() -> None:
    shared = Parties()
    here, greedy = job(shared, "here", "here"), job(shared, "1", "greedy")
    pay(here, 0.1)
    pay(greedy, 50.0)
    greedy.share.leave()
    for number in range(parties.IDLE_TENANTS + 10):
        job(shared, f"x{number}", str(number)).share.leave()
    assert shared.rank(here) < shared.rank(job(shared, "2", "greedy"))
