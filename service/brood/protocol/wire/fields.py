"""The fields of a serialized message, without making the message and without protobuf.

https://protobuf.dev/programming-guides/encoding
"""

from __future__ import annotations

from collections.abc import Iterator

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5  # wire types
FIXED = {FIXED64: 8, FIXED32: 4}
MOST_BITS = 70  # of an integer: ten bytes


def fields(message: bytes | memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Number and value of every field in order: an integer, or the bytes of what is a text, a message or a list.

    Raises:
        ValueError: it is not a protocol buffer; also for groups, which nobody sends any more.
    """
    view, at = memoryview(message), 0
    while at < len(view):
        key, at = _varint(view, at)
        kind = key & 7
        if kind == VARINT:
            value, at = _varint(view, at)
            yield key >> 3, value
            continue
        size = FIXED.get(kind)
        if kind == LENGTH:
            size, at = _varint(view, at)
        if size is None or at + size > len(view):
            raise ValueError("not a protocol buffer")
        yield key >> 3, view[at : at + size]
        at += size


def _varint(view: memoryview, at: int) -> tuple[int, int]:
    """An integer of seven bits a byte, and where it ends."""
    value = 0
    for shift in range(0, MOST_BITS, 7):
        if at >= len(view):
            break
        byte, at = view[at], at + 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("not a protocol buffer")
