"""Calls that come at once go on at once, and nobody waits for ever, or for whoever has gone."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from brood.frontends.grpc.arrivals import MOST, QUIET, Arrivals


async def turns(number: int) -> None:
    for _ in range(number):
        await asyncio.sleep(0)


async def test_calls_a_few_turns_apart_go_on_in_one_turn() -> None:
    arrivals, went = Arrivals(), list[int]()

    async def call(number: int) -> None:
        await arrivals.here()
        went.append(number)

    calls = []
    for number in range(3):
        calls.append(asyncio.create_task(call(number)))
        await turns(QUIET - 1)
        assert not went
    while not went:
        await turns(1)
    assert went == [0, 1, 2]
    await asyncio.gather(*calls)


async def test_a_call_that_is_being_taken_in_is_waited_for() -> None:
    arrivals = Arrivals()
    first = asyncio.create_task(arrivals.here())
    await turns(QUIET - 1)
    arrivals.announced()
    await turns(QUIET - 1)
    assert not first.done()
    await first


async def test_under_load_without_a_pause_all_go_on() -> None:
    arrivals = Arrivals()
    first = asyncio.create_task(arrivals.here())
    await turns(1)
    for _ in range(MOST):
        arrivals.announced()
        await turns(1)
    await turns(2)
    assert first.done()


async def test_who_leaves_takes_nobody_along() -> None:
    arrivals = Arrivals()
    gone, stays = asyncio.create_task(arrivals.here()), asyncio.create_task(arrivals.here())
    await turns(1)
    gone.cancel()
    with suppress(asyncio.CancelledError):
        await gone
    await stays
    assert gone.cancelled()
