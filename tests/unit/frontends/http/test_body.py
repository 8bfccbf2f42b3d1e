from __future__ import annotations

import pytest
from starlette.datastructures import Headers
from starlette.types import Message

from brood.frontends.http.body import MOST_KEYS, MOST_VALUES, check_type, parse, read_body
from brood.protocol.errors import Cancelled, PayloadTooLarge, UnsupportedMediaType


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
    assert await read_body(Headers(), Chunks(b"ab", b"", b"cd").receive, 4) == b"abcd"


async def test_one_chunk() -> None:
    only = Chunks(then={"type": "http.request", "body": b"abcd"})
    assert await read_body(Headers(), only.receive, 4) == b"abcd"


async def test_an_announced_length_is_refused_before_anything_is_read() -> None:
    chunks = Chunks(b"abcde")
    with pytest.raises(PayloadTooLarge, match="5 bytes of at most 4 bytes"):
        await read_body(Headers({"content-length": "5"}), chunks.receive, 4)
    assert chunks.taken == 0


async def test_a_stream_is_refused_as_soon_as_it_is_too_long() -> None:
    chunks = Chunks(b"abc", b"de", b"fg")
    with pytest.raises(PayloadTooLarge):
        await read_body(Headers(), chunks.receive, 4)
    assert chunks.taken == 2


async def test_a_caller_that_leaves_while_sending() -> None:
    with pytest.raises(Cancelled):
        await read_body(Headers(), Chunks(b"ab", then={"type": "http.disconnect"}).receive, 4)


@pytest.mark.parametrize(
    "given", ["application/json", "Application/JSON; charset=UTF-8", 'application/json;charset="utf-8"']
)
def test_types_that_are_read(given: str) -> None:
    check_type(Headers({"content-type": given}))


@pytest.mark.parametrize(
    ("headers", "field"),
    [
        ({}, "Content-Type"),
        ({"content-type": "text/json"}, "Content-Type"),
        ({"content-type": "application/json; charset=utf-16"}, "Content-Type"),
        ({"content-type": "application/json", "content-encoding": "gzip"}, "Content-Encoding"),
    ],
)
def test_types_that_are_not_read(headers: dict[str, str], field: str) -> None:
    with pytest.raises(UnsupportedMediaType) as caught:
        check_type(Headers(headers))
    assert caught.value.field == field


@pytest.mark.parametrize("body", [b"[" + b"0," * (MOST_VALUES + 1) + b"0]", b'{"a":0}' * (MOST_KEYS + 1)])
def test_bodies_that_would_block_the_server_are_not_parsed(body: bytes) -> None:
    with pytest.raises(PayloadTooLarge, match="send arrays as 'b64'"):
        parse(body)
