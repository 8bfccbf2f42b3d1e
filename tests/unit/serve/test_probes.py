"""Ports answer, or it is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from brood.dataplane import DataPlane, Limits
from brood.frontends.servers import ServerOptions, Servers, listen
from brood.frontends.tls import Tls
from brood.serve.errors import Unhealthy
from brood.serve.probes import probe_grpc, probe_http, probe_tls
from helpers.access import Keys, Time
from helpers.backend import FakeBackend
from helpers.certificates import Authority
from helpers.observer import FakeObserver

HOST = "127.0.0.1"


@pytest.fixture
async def plane() -> AsyncIterator[DataPlane]:
    plane = DataPlane(FakeBackend(), Limits(), FakeObserver())
    yield plane
    plane.close()


async def test_probes_need_no_key(plane: DataPlane, tmp_path: Path) -> None:
    servers = Servers(plane, ServerOptions(HOST, 0, 0, gate=Keys(tmp_path).gate(Time())))
    await servers.start()
    await probe_http(HOST, servers.http_port)
    await probe_grpc(HOST, servers.grpc_port)
    await servers.stop(0.0)


@pytest.mark.parametrize("mutual", [False, True])
async def test_probes_of_ports_with_tls(plane: DataPlane, tmp_path: Path, mutual: bool) -> None:
    authority = Authority(tmp_path)
    pair = authority.sign("server")
    tls = Tls(pair.cert, pair.key, authority.cert if mutual else None)
    servers = Servers(plane, ServerOptions(HOST, 0, 0, tls=tls))
    await servers.start()
    await probe_tls(HOST, servers.http_port)
    await probe_tls(HOST, servers.grpc_port)
    await servers.stop(0.0)


async def test_a_port_that_does_not_shake_hands() -> None:
    with listen(HOST, 0, "http") as silent, pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await probe_tls(HOST, silent.getsockname()[1])


async def test_a_port_that_is_closed() -> None:
    with listen(HOST, 0, "http") as taken:
        port = taken.getsockname()[1]
    for probe in (probe_http, probe_tls):
        with pytest.raises(OSError, match="Connect call failed"):
            await probe(HOST, port)


async def test_a_port_with_something_else() -> None:
    async def refuse(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 404 Not Found\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(refuse, HOST, 0)
    with pytest.raises(Unhealthy, match=r"/healthz answers b'HTTP/1\.1 404"):
        await probe_http(HOST, server.sockets[0].getsockname()[1])
    server.close()
