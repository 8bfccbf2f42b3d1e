"""Connections to one server, kept open."""

from __future__ import annotations

import asyncio
import ssl
from collections import deque

from brood.loadgen.http.connection import Connection
from brood.loadgen.outcome import UNREACHABLE, Failed


class Pool:
    """Opens connections when they are needed, and no more than so many.

    Args:
        host: its name or address.
        port: its port.
        tls: for connections with TLS.
        most: connections at a time; requests beyond wait, and their clocks run.
    """

    def __init__(self, host: str, port: int, tls: ssl.SSLContext | None, most: int) -> None:
        self._host, self._port, self._tls = host, port, tls
        self._idle: list[Connection] = []
        self._used: set[Connection] = set()
        self._left, self._waiting = most, deque[asyncio.Future[None]]()

    async def take(self) -> Connection:
        """A connection for one request; `give` it back.

        Raises:
            Failed: the server cannot be reached.
        """
        while self._left == 0:
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            await turn
        self._left -= 1
        try:
            connection = self._kept() or await self._open()
        except BaseException:
            self._free()
            raise
        self._used.add(connection)
        return connection

    def give(self, connection: Connection) -> None:
        """Take a connection back after its request."""
        self._used.discard(connection)
        if connection.usable:
            self._idle.append(connection)
        else:
            connection.close()
        self._free()

    def close(self) -> None:
        """Close all."""
        for connection in (*self._idle, *self._used):
            connection.close()
        self._idle.clear()

    def _kept(self) -> Connection | None:
        """The one that was used last: it is least likely to have been closed in the meantime."""
        while self._idle:
            connection = self._idle.pop()
            if connection.usable:
                return connection
        return None

    async def _open(self) -> Connection:
        loop = asyncio.get_running_loop()
        try:
            _, connection = await loop.create_connection(Connection, self._host, self._port, ssl=self._tls)
        except OSError as error:
            raise Failed(UNREACHABLE, f"{self._host}:{self._port}: {error}") from error
        return connection

    def _free(self) -> None:
        self._left += 1
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
