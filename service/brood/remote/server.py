"""The worker's side: takes chunks of requests from every ingress and tells what happens to them."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import AsyncIterable, Callable
from contextlib import suppress
from dataclasses import replace
from itertools import count
from typing import Any

import grpc
from google.protobuf.message import DecodeError

from brood.remote.options import RemoteOptions
from brood.remote.runner import Runner
from brood.remote.session import Context, Session
from brood.remote.status import WorkerStatus
from brood.remote.wire import INGRESS, METHOD, SERVICE, TOKEN, metadata_value, server_end

log = logging.getLogger(__name__)
STATUS_PERIOD_S = 0.1
CLOSING_S = 1.0  # for links to carry their last messages


class WorkerServer:
    """The links of all ingresses to one worker.

    Owned by the event loop that calls `start`.

    Args:
        backend: runs the generations; usually a `brood.host.host.Host`.
        status: what the worker says of itself; asked at most ten times a second while there is a link, must be quick.
            Its ``draining`` is added here, by `stop`.
        token: that every ingress has to show.
    """

    def __init__(self, backend: Runner, status: Callable[[], WorkerStatus], token: str) -> None:
        self._backend, self._status, self._token = backend, status, token.encode()
        self._sessions: dict[str, Session] = {}  # by ingress
        self._numbers = count(1)
        self._draining = False
        self._linked = asyncio.Event()
        self._server: grpc.aio.Server | None = None
        self._telling: asyncio.Task[None] | None = None

    @property
    def running(self) -> int:
        """Chunks of requests that are unfinished or not sent back yet."""
        return sum(session.running for session in self._sessions.values())

    async def start(self, host: str, port: int = 0) -> int:
        """Listen; returns the port, a free one for 0.

        Raises:
            OSError: it cannot listen there; the message says why.
        """
        options = RemoteOptions()
        self._server = grpc.aio.server(options=server_end(options.keepalive_s, options.silence_s))
        method = grpc.stream_stream_rpc_method_handler(self._link)
        handler: grpc.GenericRpcHandler[Any, Any] = grpc.method_handlers_generic_handler(SERVICE, {METHOD: method})
        self._server.add_generic_rpc_handlers((handler,))
        try:
            found = self._server.add_insecure_port(f"{host}:{port}")
        except RuntimeError as error:
            await self._server.stop(None)
            raise OSError(f"a worker cannot listen on {host}:{port}: {error}") from error
        await self._server.start()
        self._telling = asyncio.create_task(self._tell(), name="brood-worker-status")
        return found

    async def stop(self, grace_s: float) -> None:
        """Tell every ingress that this worker takes nothing new, let what runs end, then close all links.

        What has not ended after the grace is ended; the ingresses submit it to other workers.
        """
        self._draining = True
        for session in self._sessions.values():
            session.tell(self._now())
        with suppress(TimeoutError):
            async with asyncio.timeout(grace_s):
                await asyncio.gather(*(session.drain() for session in self._sessions.values()))
        for session in self._sessions.values():
            session.finish()
        if self._telling is not None:
            self._telling.cancel()
        if self._server is not None:
            await self._server.stop(min(CLOSING_S, grace_s))

    async def _link(self, requests: AsyncIterable[bytes], context: Context) -> None:
        """One ingress; returns when the link has ended."""
        metadata = context.invocation_metadata()
        if not secrets.compare_digest(metadata_value(metadata, TOKEN).encode(), self._token):
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, "this worker belongs to a deployment of another token")
        ingress, number = metadata_value(metadata, INGRESS), next(self._numbers)
        if (before := self._sessions.get(ingress)) is not None:
            before.abort()
        session = self._sessions[ingress] = Session(str(number), self._backend, draining=self._draining)
        session.tell(self._now())
        self._linked.set()
        try:
            await session.run(requests, context)
        except (DecodeError, ValueError) as error:
            log.error("the link of ingress %s carried what is no order: %s", ingress, error)
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"this is no order: {error}")
        finally:
            if self._sessions.get(ingress) is session:
                del self._sessions[ingress]

    def _now(self) -> WorkerStatus:
        status = self._status()
        return replace(status, draining=True) if self._draining else status

    async def _tell(self) -> None:
        """Tell all links how things stand, as long as there are any."""
        while True:
            if not self._sessions:
                self._linked.clear()
                await self._linked.wait()
            try:
                status = self._now()
            except Exception:
                log.exception("this worker cannot tell its status")
            else:
                for session in self._sessions.values():
                    session.tell(status)
            await asyncio.sleep(STATUS_PERIOD_S)
