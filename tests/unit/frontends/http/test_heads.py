"""Connections on which no request comes are closed; all others are let be."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from brood.dataplane import DataPlane, Limits
from brood.frontends.http import heads
from brood.frontends.servers import ServerOptions, Servers
from helpers.backend import FakeBackend
from helpers.observer import FakeObserver

GET = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
PATIENCE_S = 5


@pytest.fixture
async def port() -> AsyncIterator[int]:
    plane = DataPlane(FakeBackend(), Limits(), FakeObserver())
    servers = Servers(plane, ServerOptions("127.0.0.1", 0, 0))
    await servers.start()
    yield servers.http_port
    await servers.stop(0)
    plane.close()


async def rest(port: int, sent: bytes, answers: int = 0) -> bytes:
    """What comes after so many whole answers until the server closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    async with asyncio.timeout(PATIENCE_S):
        for _ in range(answers):
            writer.write(GET + b"\r\n")
            await reader.readuntil(b"}")
        writer.write(sent)
        left = await reader.read()
    writer.close()
    return left


@pytest.mark.parametrize("sent", [b"G", GET, GET + b"X: " + b"y" * 1000])
@pytest.mark.parametrize("answers", [0, 1])
async def test_a_head_that_does_not_end(port: int, monkeypatch: pytest.MonkeyPatch, sent: bytes, answers: int) -> None:
    monkeypatch.setattr(heads, "HEAD_S", 0.02)
    assert await rest(port, sent, answers) == b""


async def test_a_connection_on_which_nothing_comes(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heads, "SILENT_S", 0.02)
    assert await rest(port, b"") == b""


async def test_whoever_has_said_what_it_wants_is_let_be(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heads, "HEAD_S", 0.02)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    async with asyncio.timeout(PATIENCE_S):
        for _ in range(3):
            writer.write(GET + b"\r\n")
            assert (await reader.readuntil(b"}")).startswith(b"HTTP/1.1 200 ")
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(reader.read(1), 3 * heads.HEAD_S)
    writer.close()
