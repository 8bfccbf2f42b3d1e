from __future__ import annotations

import asyncio

import pytest
from starlette.types import Message

from brood.frontends.http.body import MOST_KEYS, MOST_VALUES, boundary_of, parse, read_body
from brood.frontends.http.heads import Heads
from brood.protocol.errors import Cancelled, PayloadTooLarge, RequestTimeout, UnsupportedMediaType
from helpers.clock import LoopClock, loop_clock


class Chunks:
    """What a caller sends, piece by piece; counts the pieces that were taken."""

    def __init__(self, *chunks: bytes, then: Message | None = None) -> None:
        last = {"type": "http.request", "body": b"", "more_body": False} if then is None else then
        self._messages = [*({"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks), last]
        self.taken = 0

    async def receive(self) -> Message:
        self.taken += 1
        return self._messages[self.taken - 1]


async def test_chunks_are_joined() -> None:
    assert await read_body(Heads([]), Chunks(b"ab", b"", b"cd").receive, 4) == b"abcd"


async def test_one_chunk() -> None:
    only = Chunks(then={"type": "http.request", "body": b"abcd"})
    assert await read_body(Heads([]), only.receive, 4) == b"abcd"


async def test_an_announced_length_is_refused_before_anything_is_read() -> None:
    chunks = Chunks(b"abcde")
    with pytest.raises(PayloadTooLarge, match="5 bytes, more than allowed; allowed: 4 bytes"):
        await read_body(Heads([(b"content-length", b"5")]), chunks.receive, 4)
    assert chunks.taken == 0


async def test_a_stream_is_refused_as_soon_as_it_is_too_long() -> None:
    chunks = Chunks(b"abc", b"de", b"fg")
    with pytest.raises(PayloadTooLarge):
        await read_body(Heads([]), chunks.receive, 4)
    assert chunks.taken == 2


async def test_a_caller_that_leaves_while_sending() -> None:
    with pytest.raises(Cancelled):
        await read_body(Heads([]), Chunks(b"ab", then={"type": "http.disconnect"}).receive, 4)


@pytest.mark.parametrize(
    ("given", "boundary"),
    [
        ("application/json", None),
        ("Application/JSON; charset=UTF-8", None),
        ('application/json;charset="utf-8"', None),
        ("multipart/form-data; boundary=abc", "abc"),
        ('Multipart/Form-Data; boundary="a b"', "a b"),
    ],
)
def test_types_that_are_read(given: str, boundary: str | None) -> None:
    assert boundary_of(given) == boundary


@pytest.mark.parametrize(
    "given",
    [
        "",
        "text/json",
        "application/json; charset=utf-16",
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/mixed; boundary=abc",
        "multipart/form-data; boundary=" + "x" * 71,
    ],
)
def test_types_that_are_not_read(given: str) -> None:
    with pytest.raises(UnsupportedMediaType, match=r"application/json, or multipart/form-data with a bound") as caught:
        boundary_of(given)
    assert caught.value.field == "Content-Type"


class Dripping:
    """Sends a byte at a time, as long as the clock of a test is moved on."""

    def __init__(self, clock: LoopClock, every_s: float) -> None:
        self._clock, self._every_s = clock, every_s

    async def receive(self) -> Message:
        self._clock.skip(self._every_s)
        await asyncio.sleep(0)
        return {"type": "http.request", "body": b"x", "more_body": True}


async def test_a_body_that_stops_coming_is_given_up() -> None:
    async def silent() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    with pytest.raises(RequestTimeout, match=r"0 bytes so far; allowed: 0\.001 s without any, 60 s in all"):
        await read_body(Heads([]), silent, 100, idle_s=0.001, total_s=60.0)


async def test_a_body_that_drips_for_too_long_is_given_up() -> None:
    with loop_clock() as clock, pytest.raises(RequestTimeout, match="6 bytes so far") as caught:
        await read_body(Heads([]), Dripping(clock, 2.0).receive, 100, idle_s=3.0, total_s=11.0)
    assert caught.value.field is None


@pytest.mark.parametrize("body", [b"[" + b"0," * (MOST_VALUES + 1) + b"0]", b'{"a":0}' * (MOST_KEYS + 1)])
def test_bodies_that_would_block_the_server_are_not_parsed(body: bytes) -> None:
    with pytest.raises(PayloadTooLarge, match="send arrays as 'b64'"):
        parse(body)
