"""What waits for a link to take it: all that is there goes in one message."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Generic, NamedTuple, TypeVar

import numpy as np
from google.protobuf.message import Message

Part = TypeVar("Part", bound=Message)

FRAME_BYTES = 2**20  # a message is closed when it has so many: others behind it can be read sooner
PART_BYTES = 64  # of a part without arrays, roughly


class Item(NamedTuple, Generic[Part]):
    """A part of a message."""

    part: Part
    arrays: list[np.ndarray]
    size: int  # bytes, roughly


class Outbox(Generic[Part]):
    """A queue with one reader, who takes many at once.

    Attributes:
        size: bytes that wait, roughly.
    """

    def __init__(self) -> None:
        self.size = 0
        self._items: deque[Item[Part]] = deque()
        self._stirred = asyncio.Event()
        self._emptied = asyncio.Event()
        self._emptied.set()
        self._closed = False

    def put(self, part: Part, arrays: list[np.ndarray] | None = None) -> None:
        """Add something at the end."""
        arrays = arrays or []
        size = PART_BYTES + sum(array.nbytes for array in arrays)
        self._items.append(Item(part, arrays, size))
        self.size += size
        self._stirred.set()

    def stir(self) -> None:
        """Let the reader go on, though with nothing."""
        self._stirred.set()

    def close(self) -> None:
        """Let the reader take what is there, then end."""
        self._closed = True
        self._stirred.set()

    async def take(self) -> list[Item[Part]] | None:
        """What is there, up to a message's size; waits until there is something, or `stir` was called.

        Returns None when it is closed and empty.
        """
        if not self._items:
            if self._closed:
                return None
            await self._stirred.wait()
            self._stirred.clear()
        taken, size = list[Item[Part]](), 0
        while self._items and size < FRAME_BYTES:
            taken.append(item := self._items.popleft())
            size += item.size
        self.size -= size
        if not self._items:
            self._emptied.set()
        return taken

    async def room(self, limit: int) -> None:
        """Wait until less than ``limit`` bytes wait, if they are more."""
        while self.size >= limit:
            self._emptied.clear()
            await self._emptied.wait()
