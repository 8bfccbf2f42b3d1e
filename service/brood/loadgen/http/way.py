"""The way over HTTP: a codec says what is sent and what a right answer is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from brood.loadgen.http.connection import Response
from brood.loadgen.http.pool import Pool
from brood.loadgen.orders import Order
from brood.loadgen.outcome import Answer, Content, Failed


class Codec(Protocol):
    """One protocol on top of HTTP."""

    def message(self, order: Order, seed: int) -> tuple[str, Mapping[str, str], bytes]:
        """Path, headers and body of a request."""
        ...

    def marks(self) -> tuple[bytes, bytes] | None:
        """What the first preview and the first sample begin with in a stream; None: the answer comes in one piece."""
        ...

    def contents(self, order: Order, response: Response) -> Sequence[Content]:
        """The samples of an answer of status 200.

        Raises:
            Failed: it is not what was asked for, or is a stream that tells of an error.
        """
        ...

    def error(self, response: Response) -> Failed:
        """What an answer of another status says."""
        ...


class Listener:
    """Notices when the first preview and the first sample come.

    Args:
        marks: see `Codec.marks`.
        now: the clock.
    """

    def __init__(self, marks: tuple[bytes, bytes], now: Callable[[], float]) -> None:
        self._marks, self._now, self._rest = marks, now, b""
        self.at: list[float | None] = [None, None]

    def __call__(self, piece: bytes) -> None:
        if self.at[1] is not None:
            return
        text = self._rest + piece
        for place, mark in enumerate(self._marks):
            if self.at[place] is None and mark in text:
                self.at[place] = self._now()
        self._rest = text[-max(map(len, self._marks)) :]


class HttpWay:
    """See `brood.loadgen.ways.Way`.

    Args:
        pool: of connections to the server.
        host: as it is told to the server.
        headers: of every request.
        codec: the protocol.
        now: the clock.
    """

    def __init__(
        self, pool: Pool, host: str, headers: Mapping[str, str], codec: Codec, now: Callable[[], float]
    ) -> None:
        self._pool, self._codec, self._now = pool, codec, now
        self._lines = "".join(f"{name}: {value}\r\n" for name, value in {"Host": host, **headers}.items())

    async def send(self, order: Order, seed: int) -> Answer:
        """See `Way`."""
        path, headers, body = self._codec.message(order, seed)
        marks = self._codec.marks()
        listener = None if marks is None else Listener(marks, self._now)
        connection = await self._pool.take()
        try:
            response = await connection.exchange(self._head(path, headers, len(body)) + body, listener)
        finally:
            self._pool.give(connection)
        if response.status != 200:
            raise self._codec.error(response)
        contents = self._codec.contents(order, response)
        preview_at, first_at = (None, None) if listener is None else listener.at
        return Answer(contents, len(response.body), first_at, preview_at)

    async def aclose(self) -> None:
        """See `Way`."""
        self._pool.close()

    def _head(self, path: str, headers: Mapping[str, str], length: int) -> bytes:
        own = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return f"POST {path} HTTP/1.1\r\n{self._lines}{own}Content-Length: {length}\r\n\r\n".encode("latin-1")
