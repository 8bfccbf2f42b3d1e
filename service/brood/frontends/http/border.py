"""Around the whole application: every request gets an id, every error its one form."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from brood.dataplane.ids import request_id_of
from brood.frontends.http.errors import error_response, foreign
from brood.frontends.http.heads import Heads, heads_of
from brood.frontends.http.hosts import check_host, check_origin
from brood.observe.trace import Trace, begin, trace_of
from brood.protocol.errors import BroodError, Internal, NotReady

# Of an answer at a time: what nobody has taken is in memory once, and not in the transport's buffer again.
PIECE_BYTES = 2**18

logger = logging.getLogger(__name__)


class Border:
    """Checks where a request was sent, names it, and turns whatever goes wrong inside into an error answer."""

    def __init__(self, app: ASGIApp, hosts: frozenset[str] | None) -> None:
        self._app, self._hosts = app, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request (ASGI 3)."""
        heads = heads_of(scope)
        request_id = request_id_of(heads.text(b"x-request-id"))
        # The router raises for what it cannot find only where it is part of an app.
        scope["app"], scope["state"] = self, {"request_id": request_id}
        named = [(b"x-request-id", request_id.encode())]
        if (trace := traced(heads)) is not None:
            scope["state"]["trace_id"] = trace.trace_id
            named.append((b"traceresponse", trace.header().encode()))
        begin(request_id, trace)
        started = False

        async def send_named(message: Message) -> None:
            nonlocal started
            if not started and message["type"] == "http.response.start":
                started = True
                message["headers"] = [*message["headers"], *named]
            if len(message.get("body", b"")) > PIECE_BYTES:
                for piece in pieces(message):
                    await send(piece)
            else:
                await send(message)

        try:
            if self._hosts is not None:
                check_host(heads.every(b"host"), self._hosts)
                check_origin(heads.every(b"origin"), self._hosts)
            await self._app(scope, receive, send_named)
        except asyncio.CancelledError as error:
            # The server cancels what outlives its grace when it stops; this is the outermost frame of that task.
            if not started:
                stopped = NotReady("the server stopped before this was finished")
                await error_response(stopped, request_id, error, scope["path"])(scope, receive, send_named)
        except Exception as error:
            if started:  # too late for another answer: let the server close the connection
                raise
            told = error_response(known(error, scope, request_id), request_id, error, scope["path"])
            await told(scope, receive, send_named)


def pieces(message: Message) -> Iterator[Message]:
    """A message with a large body bit by bit, each when the one before was taken by the transport."""
    body: bytes = message["body"]
    for end in range(PIECE_BYTES, len(body) + PIECE_BYTES, PIECE_BYTES):
        more = end < len(body) or message.get("more_body", False)
        yield {**message, "body": body[end - PIECE_BYTES : end], "more_body": more}


def traced(heads: Heads) -> Trace | None:
    """The trace that a request says it is part of; None: it does not say so. Who says it twice gets a new one."""
    given = heads.every(b"traceparent")
    return trace_of(given[0] if len(given) == 1 else "") if given else None


def known(error: Exception, scope: Scope, request_id: str) -> BroodError:
    """An error in our own words; the details of one that is not ours go to the log alone."""
    if isinstance(error, BroodError):
        return error
    if isinstance(error, HTTPException):
        return foreign(error, scope)
    logger.error("request %s failed", request_id, exc_info=error, extra=scope.get("state"))
    return Internal("an error of the server; its log has the details")
