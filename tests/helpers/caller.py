"""Somebody who calls an ASGI application, reads the answer as it comes, and may leave."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from starlette.types import ASGIApp, Message

PATIENCE_S = 10.0


class Caller:
    """One request, from the moment it is sent.

    Attributes:
        status, headers: of the answer, once it began.
        reads: while it is cleared, the caller takes nothing, and the connection is full.
        served: the application's task.
    """

    def __init__(self, app: ASGIApp, path: str, body: Any, **headers: str) -> None:
        content = json.dumps(body).encode()
        self._sent = asyncio.Event()
        self._message: Message = {"type": "http.request", "body": content, "more_body": False}
        self._left = asyncio.Event()
        self.reads = asyncio.Event()
        self.reads.set()
        self._chunks: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._text = b""
        self.status, self.headers = 0, dict[str, str]()
        given = {"content-type": "application/json", **headers}
        scope = {
            "type": "http",
            "method": "POST",
            "path": path,
            "query_string": b"",
            "headers": [(name.encode(), value.encode()) for name, value in given.items()],
        }
        self.served = asyncio.ensure_future(app(scope, self._receive, self._send))

    def leave(self) -> None:
        """Close the connection."""
        self._left.set()

    async def chunk(self) -> bytes | None:
        """The next piece of the body; None at its end."""
        async with asyncio.timeout(PATIENCE_S):
            return await self._chunks.get()

    async def event(self) -> tuple[str, int, Any] | None:
        """The next server-sent event: its name, id and data; None at the end. Comments are passed over."""
        while (chunk := await self.chunk()) is not None:
            fields = dict(line.split(": ", 1) for line in chunk.decode().strip().splitlines())
            if "event" in fields:
                return fields["event"], int(fields["id"]), json.loads(fields["data"])
        return None

    async def events(self) -> list[tuple[str, int, Any]]:
        """All events that are left."""
        found = []
        while (event := await self.event()) is not None:
            found.append(event)
        return found

    async def _receive(self) -> Message:
        if not self._sent.is_set():
            self._sent.set()
            return self._message
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
            return
        await self.reads.wait()
        if message.get("body"):
            self._chunks.put_nowait(message["body"])
        if not message.get("more_body", False):
            self._chunks.put_nowait(None)
