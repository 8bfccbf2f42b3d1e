"""What tests of the SDK talk to: a server of either kind over a fake backend, through a line that can be cut."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeVar

import pytest

from brood.dataplane import DataPlane
from brood.frontends.servers import ServerOptions, Servers
from brood_client import AsyncClient, BroodError, Client
from helpers.backend import FakeBackend
from helpers.grpc_server import grpc_server
from helpers.proxy import Line

T = TypeVar("T")


@dataclass(frozen=True)
class Service:
    """A server, and clients to it through a line that can be cut."""

    backend: FakeBackend
    line: Line
    url: str
    client: Client
    aclient: AsyncClient
    first_sample: asyncio.Event = field(default_factory=asyncio.Event)  # for tests to set

    async def call(self, verb: Callable[[Client], T]) -> T:
        """Use the client, which blocks, while the servers' loop runs."""
        return await asyncio.to_thread(verb, self.client)

    async def error(self, verb: Callable[[Client], object]) -> BroodError:
        """The error a use of the client raises."""
        with pytest.raises(BroodError) as caught:
            await self.call(verb)
        return caught.value


@asynccontextmanager
async def http_server(plane: DataPlane) -> AsyncGenerator[str, None]:
    """Serve a data plane; yields ``HOST:PORT``."""
    servers = Servers(plane, ServerOptions("127.0.0.1", 0, 0))
    await servers.start()
    try:
        yield f"127.0.0.1:{servers.http_port}"
    finally:
        await servers.stop(0)


SERVERS = {"http": http_server, "grpc": grpc_server}
