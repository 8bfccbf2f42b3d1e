"""What waits for a link."""

from __future__ import annotations

import asyncio

import numpy as np

from brood.protocol.wire import worker_pb2 as pb
from brood.remote.outbox import FRAME_BYTES, Outbox


def told(number: int) -> pb.Told:
    return pb.Told(chunk=number, accepted="exact")


async def numbers(outbox: Outbox[pb.Told]) -> list[int]:
    return [item.part.chunk for item in await outbox.take() or []]


async def test_all_that_is_there_goes_at_once_in_order() -> None:
    outbox = Outbox[pb.Told]()
    for number in range(5):
        outbox.put(told(number))
    assert await numbers(outbox) == [0, 1, 2, 3, 4]
    assert outbox.size == 0


async def test_a_message_is_closed_when_it_is_large() -> None:
    outbox = Outbox[pb.Told]()
    for number in range(3):
        outbox.put(told(number), [np.zeros(FRAME_BYTES // 2 + 1, np.uint8)])
    assert await numbers(outbox) == [0, 1]
    assert await numbers(outbox) == [2]


async def test_the_reader_waits_until_there_is_something() -> None:
    outbox = Outbox[pb.Told]()
    reading = asyncio.create_task(numbers(outbox))
    await asyncio.sleep(0)
    assert not reading.done()
    outbox.put(told(7))
    assert await reading == [7]


async def test_a_stirred_reader_goes_on_with_nothing() -> None:
    outbox = Outbox[pb.Told]()
    outbox.stir()
    assert await outbox.take() == []


async def test_a_closed_one_is_emptied_first() -> None:
    outbox = Outbox[pb.Told]()
    outbox.put(told(1))
    outbox.close()
    assert await numbers(outbox) == [1]
    assert await outbox.take() is None


async def test_writers_wait_for_room() -> None:
    outbox = Outbox[pb.Told]()
    await outbox.room(100)
    outbox.put(told(1), [np.zeros(200, np.uint8)])
    waiting = asyncio.create_task(outbox.room(100))
    await asyncio.sleep(0)
    assert not waiting.done()
    await outbox.take()
    await waiting
