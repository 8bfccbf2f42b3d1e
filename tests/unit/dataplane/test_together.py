from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from brood.dataplane.together import merged
from brood.protocol.events import Event, Sample

CLOSED: list[int] = []


async def stream(number: int, failure: Exception | None = None) -> AsyncGenerator[Event, None]:
    """Two samples, or one and a failure."""
    try:
        yield Sample(0, number, {})
        await asyncio.sleep(0)
        if failure is not None:
            raise failure
        yield Sample(1, number, {})
    finally:
        CLOSED.append(number)


@pytest.fixture(autouse=True)
def _nothing_closed() -> None:
    CLOSED.clear()


@pytest.mark.parametrize("count", [1, 2, 5])
async def test_all_events_come_with_their_streams_number(count: int) -> None:
    found = [(number, event) async for number, event in merged([stream(number) for number in range(count)])]
    assert sorted(number for number, _ in found) == sorted([*range(count)] * 2)
    assert all(isinstance(event, Sample) and event.seed == number for number, event in found)
    assert sorted(CLOSED) == list(range(count))


async def test_the_first_failure_ends_all() -> None:
    with pytest.raises(ValueError, match="broken"):
        async for _ in merged([stream(0), stream(1, ValueError("broken")), stream(2)]):
            pass
    assert sorted(CLOSED) == [0, 1, 2]


async def test_closing_early_closes_all() -> None:
    async with aclosing(merged([stream(0), stream(1)])) as events:
        await anext(events)
    assert sorted(CLOSED) == [0, 1]
