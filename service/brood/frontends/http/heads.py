"""Connections that do not come to the point: closed, so that they take no place for ever."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

SILENT_S = 75.0  # until the first byte of a new connection; others open them in stock
HEAD_S = 30.0  # from the first byte of a request to the end of its headers


class PatientProtocol(HttpToolsProtocol):
    """Uvicorn's own, which would wait for a request's head for ever."""

    _head: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """A connection is open."""
        super().connection_made(transport)
        self._wait(SILENT_S)

    def on_message_begin(self) -> None:
        """The first byte of a request is there."""
        super().on_message_begin()
        self._wait(HEAD_S)

    def on_headers_complete(self) -> None:
        """A request's head is whole; uvicorn begins to answer."""
        self._come()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """A connection is closed."""
        self._come()
        super().connection_lost(exc)

    def _wait(self, seconds: float) -> None:
        self._come()
        self._head = self.loop.call_later(seconds, self.transport.close)

    def _come(self) -> None:
        if self._head is not None:
            self._head.cancel()
            self._head = None
