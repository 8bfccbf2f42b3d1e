"""What the reader of a generation holds."""

from __future__ import annotations

import asyncio

import pytest

from brood.engine.stream import UNREAD
from brood.protocol.errors import BroodError, Overloaded, RowFailed
from brood.protocol.events import Accepted, Done, Event, Failed, Progress, Sample, Usage
from brood.remote.stream import RemoteStream

ACCEPTED = Accepted("id", "tiny", 1, "generate", 7, 1, "exact")
SAMPLE, DONE = Sample(0, 7, {}), Done(Usage(1, 1, 0.0, 0.0))


class Book:
    """Keeps what was read, and how often the stream was closed."""

    def __init__(self) -> None:
        self.weights: list[int] = []
        self.closed = 0
        self.stream = RemoteStream(self.close)

    def read(self, weight: int) -> None:
        self.weights.append(weight)

    def close(self) -> None:
        self.closed += 1


async def all_of(stream: RemoteStream) -> list[Event]:
    return [event async for event in stream]


async def test_events_come_in_order_after_acceptance() -> None:
    book = Book()
    book.stream.put(SAMPLE, book, 100)
    reading = asyncio.create_task(all_of(book.stream))
    await asyncio.sleep(0)
    assert not reading.done()
    assert book.weights == []
    book.stream.accept(ACCEPTED)
    book.stream.put(DONE)
    assert await reading == [ACCEPTED, SAMPLE, DONE]
    assert book.weights == [100]
    assert book.closed == 1


async def test_a_refusal_comes_in_place_of_the_first_event() -> None:
    book = Book()
    reading = asyncio.create_task(all_of(book.stream))
    await asyncio.sleep(0)
    book.stream.fail(Overloaded("full"))
    with pytest.raises(Overloaded):
        await reading
    assert book.closed == 1
    assert await all_of(book.stream) == []


async def test_a_failure_is_the_last_event() -> None:
    book, error = Book(), RowFailed("sample 3")
    book.stream.accept(ACCEPTED)
    book.stream.fail(error)
    assert await all_of(book.stream) == [ACCEPTED, Failed(error)]


async def test_closing_early_tells_once() -> None:
    book = Book()
    book.stream.accept(ACCEPTED)
    await book.stream.aclose()
    await book.stream.aclose()
    assert book.closed == 1
    assert await all_of(book.stream) == []
    with pytest.raises(BroodError):
        await book.stream.athrow(RowFailed("thrown in"))


async def test_who_does_not_read_lags() -> None:
    stream = Book().stream
    stream.accept(ACCEPTED)
    for _ in range(UNREAD - 1):
        assert not stream.lags
        stream.put(Progress(1, 2, 0, 1, 0.0))
    assert stream.lags
