"""A line between a client and a server that can be cut."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import TypeVar

CHUNK_BYTES = 65536
L = TypeVar("L", bound="Line")


class Line:
    """Passes bytes both ways.

    Attributes:
        port: where clients connect.
        refusing: whether connections are closed as soon as they are made.
        mute: whether what is sent is lost, as if the other machine had lost its power.
        connections: how many were made.
    """

    def __init__(self, target: str) -> None:
        host, _, port = target.rpartition(":")
        self._host, self._port = host, int(port)
        self._writers: set[asyncio.StreamWriter] = set()
        self._serving: set[asyncio.Task[None]] = set()
        self.port, self.refusing, self.mute, self.connections = 0, False, False, 0

    def cut(self) -> None:
        """End all connections in the middle of whatever they carry."""
        for writer in self._writers:
            writer.transport.abort()

    @property
    def busy(self) -> bool:
        """Whether there are connections."""
        return bool(self._serving)

    async def ended(self) -> None:
        """Wait until there are no connections."""
        if self._serving:
            await asyncio.wait(self._serving)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Connect a client with the server, until either leaves."""
        self.connections += 1
        if self.refusing:
            writer.transport.abort()
            return
        if (task := asyncio.current_task()) is not None:
            self._serving.add(task)
            task.add_done_callback(self._serving.discard)
        try:
            other_reader, other_writer = await self.connected()
        except OSError:  # nobody is there
            writer.transport.abort()
            return
        self._writers |= {writer, other_writer}
        await asyncio.gather(self._pass(reader, other_writer), self._pass(other_reader, writer))
        self._writers -= {writer, other_writer}

    async def connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection with the server."""
        return await asyncio.open_connection(self._host, self._port)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while chunk := await reader.read(CHUNK_BYTES):
                if not self.mute:
                    writer.write(chunk)
                    await writer.drain()
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


@asynccontextmanager
async def line_to(target: str) -> AsyncGenerator[Line, None]:
    """A line to ``HOST:PORT``."""
    async with laid(Line(target)) as line:
        yield line


@asynccontextmanager
async def laid(line: L) -> AsyncGenerator[L, None]:
    """A line, while it can be used."""
    server = await asyncio.start_server(line.serve, "127.0.0.1", 0)
    line.port = server.sockets[0].getsockname()[1]
    try:
        yield line
    finally:
        line.refusing = True
        line.cut()
        server.close()
        await server.wait_closed()
        await line.ended()
