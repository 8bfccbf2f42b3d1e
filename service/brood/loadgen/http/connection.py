"""One connection of HTTP/1.1, for one request at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import httptools

from brood.loadgen.outcome import BROKEN_OFF, Failed, wrong

Heard = Callable[[bytes], None]  # a piece of a body, as it comes
FINAL = 200  # statuses below are interim: the answer is still to come (RFC 9110, section 15.2)


@dataclass(frozen=True, slots=True)
class Response:
    """A whole answer."""

    status: int
    headers: dict[bytes, bytes]  # names in lower case
    body: bytes


class Connection(asyncio.Protocol):
    """Sends requests, reads answers."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._waiting: asyncio.Future[Response] | None = None
        self._headers: dict[bytes, bytes] = {}
        self._pieces: list[bytes] = []
        self._heard: Heard | None = None
        self._whole: Response | None = None  # the answer, as long as not all bytes that came with it have been read
        self.usable = True  # for a further request

    async def exchange(self, request: bytes, heard: Heard | None = None) -> Response:
        """Send a request and wait for its answer.

        Args:
            request: head and body.
            heard: is told of each piece of the body when it comes.

        Raises:
            Failed: the connection ended before the answer did, or what came is no HTTP, or more than an answer.
        """
        if self._transport is None or not self.usable:
            raise Failed(BROKEN_OFF, "the connection was closed")
        self._waiting = asyncio.get_running_loop().create_future()
        self._headers, self._pieces, self._heard = {}, [], heard
        self._transport.write(request)
        try:
            return await self._waiting
        except asyncio.CancelledError:
            self.close()  # what is still to come of the answer must not be taken for the next one
            raise
        finally:
            self._waiting = None

    def close(self) -> None:
        """Close it."""
        self.usable = False
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        self._end(Failed(BROKEN_OFF, f"the connection ended: {exc or 'closed by the server'}"))

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        if self._waiting is None:
            self.close()  # nothing was asked for
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            broken = Failed(BROKEN_OFF, f"no HTTP: {error}")
            self._end(broken if self._whole is None else wrong(f"more bytes than one answer: {error}"))
        whole, self._whole = self._whole, None
        if whole is not None and not self._waiting.done():
            self._waiting.set_result(whole)

    def on_header(self, name: bytes, value: bytes) -> None:
        """See `httptools.HttpResponseParser`."""
        self._headers[name.lower()] = value

    def on_body(self, piece: bytes) -> None:
        """See `httptools.HttpResponseParser`."""
        self._pieces.append(piece)
        if self._heard is not None:
            self._heard(piece)

    def on_message_complete(self) -> None:
        """See `httptools.HttpResponseParser`."""
        if self._parser.get_status_code() < FINAL:
            self._headers, self._pieces = {}, []
            return
        if self._whole is not None:
            self._end(wrong("more than one answer"))
            return
        self.usable = self.usable and self._parser.should_keep_alive()
        body = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._whole = Response(self._parser.get_status_code(), self._headers, body)

    def _end(self, why: Failed) -> None:
        self.close()
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(why)
