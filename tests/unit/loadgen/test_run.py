"""Stages against servers of all kinds, on a virtual clock."""

from __future__ import annotations

import asyncio
from collections import Counter

import numpy as np
import pytest

from brood.loadgen.firsts import FirstAnswers
from brood.loadgen.orders import Order
from brood.loadgen.outcome import DIFFERS, TIMEOUT, UNREACHABLE, WRONG, Answer, Failed
from brood.loadgen.run import PAUSE_S, Plan
from brood.loadgen.stages import Closed, Open
from helpers.loads import GOOD, one_at_a_time, pressed

PLAN = Plan((Order("m"),), seconds=100.0)


async def never(order: Order, seed: int) -> Answer:
    await asyncio.Event().wait()
    return GOOD


async def down(order: Order, seed: int) -> Answer:
    raise Failed(UNREACHABLE, "connection refused")


def test_requests_come_whatever_the_server_does() -> None:
    run, way = pressed(never, Plan((Order("m"),), seconds=20.0, timeout_s=5.0), Open(10, 10))
    due = [outcome.due for outcome in run.outcomes]
    assert len(due) == pytest.approx(200, rel=0.2)
    assert [at for at, _, _ in way.asked] == pytest.approx(due)  # none waited for another one's answer
    assert {outcome.code for outcome in run.outcomes} == {TIMEOUT}
    assert all(outcome.latency_s == pytest.approx(5.0) for outcome in run.outcomes)
    assert run.span_s == pytest.approx(due[-1] + 5.0)


def test_latency_counts_from_when_a_request_was_due() -> None:
    """A queue of one server: Poisson arrivals at 0.8 of its rate wait 0.5·ρ/(1 − ρ) = 2 service times (M/D/1)."""
    run, _ = pressed(one_at_a_time(0.1), Plan((Order("m"),), seconds=2_000.0), Open(8, 8))
    latencies = np.array([outcome.latency_s for outcome in run.outcomes])
    assert latencies.mean() == pytest.approx(0.1 + 0.2, rel=0.15)


def test_a_server_that_stands_still_for_a_while_is_not_forgiven() -> None:
    """Who only asked again after an answer would see one slow request; here, all that were due are slow."""

    async def pausing(order: Order, seed: int) -> Answer:
        now = asyncio.get_running_loop().time()
        await asyncio.sleep(20.0 - now if 10.0 <= now < 20.0 else 0.001)
        return GOOD

    run, _ = pressed(pausing, PLAN, Open(50, 50))
    slow = [outcome for outcome in run.outcomes if outcome.latency_s > 0.5]
    assert len(slow) == pytest.approx(50 * 9.5, rel=0.1)


def test_clients_ask_again_when_they_are_answered() -> None:
    run, way = pressed(one_at_a_time(0.5), PLAN, Closed(4, 4))
    assert len(run.outcomes) == 200 + 3  # those in flight at the end are waited for
    assert max(Counter(at for at, _, _ in way.asked).values()) == 4
    assert sorted(outcome.latency_s for outcome in run.outcomes)[100] == pytest.approx(2.0)


def test_more_and_more_clients() -> None:
    async def slow(order: Order, seed: int) -> Answer:
        await asyncio.sleep(1.0)
        return GOOD

    run, _ = pressed(slow, Plan((Order("m"),), seconds=30.0, warm_up_s=10.0), Closed(1, 3))
    rates = np.histogram([outcome.due for outcome in run.outcomes], bins=4, range=(0, 40))[0]
    assert rates.tolist() == [10, 10, 20, 30]
    assert len(run.counted(run.outcomes)) == 60


def test_a_server_that_is_down_is_asked_again_but_not_in_a_rush() -> None:
    run, _ = pressed(down, PLAN, Closed(2, 2))
    assert {(outcome.code, outcome.message) for outcome in run.outcomes} == {(UNREACHABLE, "connection refused")}
    assert len(run.outcomes) == pytest.approx(2 * 100 / PAUSE_S, rel=0.01)


def test_bytes_that_nobody_thought_of_end_no_stage() -> None:
    async def odd(order: Order, seed: int) -> Answer:
        await asyncio.sleep(0.1)
        raise KeyError("outputs")

    run, _ = pressed(odd, PLAN, Closed(1, 1))
    assert {(outcome.code, outcome.message) for outcome in run.outcomes} == {(WRONG, "KeyError('outputs')")}


def test_orders_come_by_their_shares_and_with_seeds_of_their_own() -> None:
    orders = (Order("often", share=0.75), Order("seldom", share=0.25, seed=7))
    run, way = pressed(one_at_a_time(0.01), Plan(orders, seconds=100.0), Closed(1, 1))
    numbers = Counter(outcome.order for outcome in run.outcomes)
    assert numbers[0] / len(run.outcomes) == pytest.approx(0.75, abs=0.02)
    drawn = [seed for _, order, seed in way.asked if order.model == "often"]
    assert len(set(drawn)) == len(drawn)
    assert all(0 <= seed < 2**53 for seed in drawn)
    assert {seed for _, order, seed in way.asked if order.model == "seldom"} == {7}


def test_seeds_that_are_repeated_are_checked() -> None:
    async def forgetful(order: Order, seed: int) -> Answer:
        now = asyncio.get_running_loop().time()
        await asyncio.sleep(1.0)
        return Answer((b"%d" % seed, b"late" if now >= 50 else b""), 1)

    plan = Plan((Order("m"),), seconds=100.0, repeat=5)
    run, way = pressed(forgetful, plan, Closed(1, 1), FirstAnswers())
    assert len({seed for _, _, seed in way.asked}) == 5
    assert Counter(outcome.code for outcome in run.outcomes) == {"ok": 50, DIFFERS: pytest.approx(50, abs=3)}


def test_moments_within_a_stream_count_from_the_begin_of_the_stage() -> None:
    async def streaming(order: Order, seed: int) -> Answer:
        now = asyncio.get_running_loop().time
        await asyncio.sleep(0.25)
        preview = now()
        await asyncio.sleep(0.5)
        return Answer((b"x",), 9, first_at=now(), preview_at=preview)

    run, _ = pressed(streaming, Plan((Order("m"),), seconds=10.0), Closed(1, 1))
    last = run.outcomes[-1]
    assert [last.preview, last.first, last.size] == pytest.approx([last.due + 0.25, last.due + 0.75, 9])
