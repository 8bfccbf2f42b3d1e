"""Server-sent events in pieces."""

from __future__ import annotations

import pytest

from brood_client._sse import ServerEvent, SseParser

STREAM = (
    b": ping\n\n"
    b"event: accepted\nid: 0\ndata: {}\n\n"
    b'event: sample\r\nid: 1\r\ndata: {"a":\r\ndata:1}\r\n\r\n'
    b"data: plain\nretry: 5\nunknown\n\n"
    b"event: nothing\n\n"
    b"data: unfinished\n"
)
EVENTS = [ServerEvent("accepted", b"{}"), ServerEvent("sample", b'{"a":\n1}'), ServerEvent("message", b"plain")]


@pytest.mark.parametrize("size", [1, 2, 3, 7, len(STREAM)])
def test_pieces_may_end_anywhere(size: int) -> None:
    parser = SseParser()
    pieces = [STREAM[at : at + size] for at in range(0, len(STREAM), size)]
    assert [event for piece in pieces for event in parser.feed(piece)] == EVENTS


def test_other_ends_of_lines_are_part_of_a_line() -> None:
    text = 'data: {"word": "a\u2028b\x0bc\x85"}\n\n'.encode()
    assert next(SseParser().feed(text)).data == text[6:-2]
