"""Connections that do not come to the point, talk without end, or take nothing: closed, so that they cost nothing for
long."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from brood.dataplane.ids import new_request_id
from brood.frontends.http.errors import error_response
from brood.protocol.errors import BroodError, InvalidArgument, PayloadTooLarge

SILENT_S = 75.0  # until the first byte of a new connection; others open them in stock
HEAD_S = 30.0  # from the first byte of a request to the end of its headers
# From an answer to the end of what was sent without waiting for it: a connection that is closed before is reset, and
# the answer may be lost (RFC 9112 section 9.6).
LINGER_S = 10.0
STALL_S = 60.0  # who takes nothing for so long is gone; what waits is in memory until then
# Of a request's line and headers, and of what else is no content: trailers, extensions of chunks.
HEAD_BYTES = 2**16
HEADER_BYTES = len(": \r\n")


class PatientProtocol(HttpToolsProtocol):
    """Uvicorn's own, which would wait for ever, keep headers of any size, and take trailers for headers."""

    _timer: asyncio.TimerHandle | None = None
    _stalled: asyncio.TimerHandle | None = None
    _unread = 0  # bytes since the last that made something whole; those of a piece may be counted with the piece before
    _head_bytes = 0  # of the line and headers of one request
    _in_head = False
    _refused = False

    def connection_made(self, transport: Any) -> None:
        """A connection is open."""
        super().connection_made(transport)
        self._close_in(SILENT_S)

    def data_received(self, data: bytes) -> None:
        """Some bytes are there."""
        if self._refused:
            return
        self._unread += len(data)
        super().data_received(data)
        if self._in_head and self._timer is None:  # few requests come in pieces
            self._close_in(HEAD_S)
        if self._unread > HEAD_BYTES and not self._refused and not self.transport.is_closing():
            self.send_400_response("")

    def on_message_begin(self) -> None:
        """The first byte of a request is there."""
        super().on_message_begin()
        self._let_be()
        self._in_head = True

    def on_headers_complete(self) -> None:
        """A request's head is whole; uvicorn begins to answer."""
        self._let_be()
        self._head_bytes = len(self.url) + sum(len(name) + len(value) + HEADER_BYTES for name, value in self.headers)
        if self._head_bytes > HEAD_BYTES:
            raise ValueError("more headers than are read")  # the parser ends with it, and calls `send_400_response`
        self._unread, self._in_head = 0, False
        super().on_headers_complete()
        self.headers = []  # for trailers, which nobody reads

    def on_body(self, body: bytes) -> None:
        """A piece of a body is there."""
        self._unread = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """A request has ended."""
        self._unread = 0
        super().on_message_complete()
        if self.cycle.response_complete:  # uvicorn waits for a next one only from an answer on
            self._close_in(SILENT_S)

    def on_response_complete(self) -> None:
        """An answer has been given, perhaps before all of the body was there."""
        super().on_response_complete()
        if self.cycle.response_complete and self.cycle.more_body:
            self._close_in(LINGER_S)

    def connection_lost(self, exc: Exception | None) -> None:
        """A connection is closed."""
        self._let_be()
        self._flows()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """More waits to be taken than is good."""
        self._flows()
        self._stalled = self.loop.call_later(STALL_S, self.transport.abort)
        super().pause_writing()

    def resume_writing(self) -> None:
        """Most of it was taken."""
        self._flows()
        super().resume_writing()

    def shutdown(self) -> None:
        """The server stops."""
        if self._refused:
            self.transport.close()
        super().shutdown()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP, or too much of it, in our own form, and close."""
        if self._answering():
            self.transport.close()
            return
        self._refused = True
        if self.cycle is not None:  # whoever waits for the rest of a body
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.transport.write(_refusal(self._why()))
        if self.transport.can_write_eof():  # not over TLS
            self.transport.write_eof()
            self._close_in(LINGER_S)
        else:
            self.transport.close()

    def _answering(self) -> bool:
        """Whether what is written now would be taken for the answer, or a part of it, to an earlier request."""
        cycle = self.cycle
        if cycle is None or cycle.response_complete:
            return False
        return cycle.response_started or not cycle.more_body or bool(self.pipeline)

    def _why(self) -> BroodError:
        if max(self._unread, self._head_bytes) > HEAD_BYTES:
            return PayloadTooLarge(f"the headers are too large; allowed: {HEAD_BYTES} bytes in all")
        return InvalidArgument("this is not a request of HTTP/1.1 (RFC 9112), or its headers contradict each other")

    def _flows(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def _close_in(self, seconds: float) -> None:
        self._let_be()
        self._timer = self.loop.call_later(seconds, self.transport.close)

    def _let_be(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _refusal(error: BroodError) -> bytes:
    """A whole answer, as it goes over the wire."""
    answer = error_response(error, new_request_id(), error)
    headers = b"".join(b"%b: %b\r\n" % header for header in (*answer.raw_headers, (b"connection", b"close")))
    return STATUS_LINE[answer.status_code] + headers + b"\r\n" + bytes(answer.body)
