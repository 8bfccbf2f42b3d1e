"""Server-sent events (WHATWG HTML, section 9.2), without I/O."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """One event."""

    kind: str
    data: bytes


class SseParser:
    """Turns pieces of a stream into events. Comments, ids and unknown fields are passed over."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._seen = 0  # bytes of the rest in which there is no end of a line
        self._kind, self._data = "message", list[bytes]()

    def feed(self, piece: bytes) -> Iterator[ServerEvent]:
        """The events that are complete with this piece; it may end anywhere."""
        self._rest += piece
        while (end := self._rest.find(b"\n", self._seen)) >= 0:
            line = bytes(self._rest[:end]).removesuffix(b"\r")
            del self._rest[: end + 1]
            self._seen = 0
            if line:
                self._field(line)
            elif self._data:
                yield ServerEvent(self._kind, b"\n".join(self._data))
            if not line:
                self._kind, self._data = "message", []
        self._seen = len(self._rest)

    def _field(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"event":
            self._kind = value.decode()
        elif name == b"data":
            self._data.append(value)
