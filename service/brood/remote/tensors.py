"""Arrays behind a message: their bytes are copied once on the way out and, if they are large, never on the way in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import prod
from typing import NamedTuple

import numpy as np
from google.protobuf.message import Message

ALIGNMENT = 8  # bytes; so that what is read is aligned for every dtype
PAYLOAD_TAG = bytes([15 << 3 | 2])  # field 15, length-delimited: protobuf lets any field come last
PADDING = [bytes(size) for size in range(ALIGNMENT)]


class Spec(NamedTuple):
    """What an array is without its content."""

    name: str
    dtype: np.dtype[np.generic]
    shape: tuple[int, ...]


def specs_of(arrays: Iterable[tuple[str, np.ndarray]]) -> tuple[Spec, ...]:
    """What some named arrays are."""
    return tuple(Spec(name, array.dtype, array.shape) for name, array in arrays)


def framed(message: Message, arrays: Sequence[np.ndarray]) -> bytes:
    """A serialized message, with the arrays' content as its payload."""
    head: bytes = message.SerializeToString()
    if not arrays:
        return head
    parts: list[bytes | memoryview] = []
    size = 0
    for array in arrays:
        if short := -size % ALIGNMENT:
            parts.append(PADDING[short])
        parts.append(np.ascontiguousarray(array).data)
        size += short + array.nbytes
    return b"".join((head, PAYLOAD_TAG, _varint(size), *parts))


def _varint(number: int) -> bytes:
    """https://protobuf.dev/programming-guides/encoding/#varints"""
    digits = bytearray()
    while number > 0x7F:
        digits.append(number & 0x7F | 0x80)
        number >>= 7
    digits.append(number)
    return bytes(digits)


class Payload:
    """Reads arrays out of a message's payload, in the order in which they were put there."""

    def __init__(self, content: bytes) -> None:
        self._content, self._at = content, 0

    def take(self, dtype: np.dtype[np.generic], shape: tuple[int, ...]) -> np.ndarray:
        """The next array.

        A small one is a copy: it must not keep everything in memory that came in the same message.

        Raises:
            ValueError: there is not so much left.
        """
        start = self._at + -self._at % ALIGNMENT
        count = prod(shape)
        self._at = start + count * dtype.itemsize
        if not count:
            return np.empty(shape, dtype)
        array = np.frombuffer(self._content, dtype, count, start).reshape(shape)
        return array if 2 * array.nbytes >= len(self._content) else array.copy()

    def named(self, specs: Iterable[Spec]) -> dict[str, np.ndarray]:
        """The next arrays, by name."""
        return {name: self.take(dtype, shape) for name, dtype, shape in specs}

    def skip(self, specs: Iterable[Spec]) -> None:
        """Pass the next arrays over."""
        for _, dtype, shape in specs:
            self._at += -self._at % ALIGNMENT + prod(shape) * dtype.itemsize
