"""API keys, and connections that nobody can read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from brood.dataplane import DataPlane, Limits
from brood.frontends.servers import ServerOptions, Servers
from brood.frontends.tls import Tls
from brood_client import AsyncClient, Client, PermissionDenied, RateLimited, Unauthenticated, Unreachable
from helpers.access import Keys, Time
from helpers.backend import FakeBackend
from helpers.certificates import Authority
from helpers.ends import Ends

KINDS = ("http", "grpc")


class Secured:
    """A server that wants keys and certificates."""

    def __init__(self, directory: Path) -> None:
        self.authority, self.keys, self.backend = Authority(directory), Keys(directory), FakeBackend()
        self.own = self.authority.sign("server")
        self.plane = DataPlane(self.backend, Limits(), Ends())
        tls = Tls(self.own.cert, self.own.key, self.authority.cert)
        gate = self.keys.gate(Time())
        self.servers = Servers(self.plane, ServerOptions("127.0.0.1", 0, 0, gate=gate, tls=tls))

    def client(self, kind: str, key: str | None) -> AsyncClient:
        """A client with one of the keys."""
        caller = self.authority.sign("caller")
        secret = None if key is None else self.keys.secrets[key]
        return AsyncClient(
            self.url(kind), api_key=secret, tls_roots=self.authority.cert, tls_cert=(caller.cert, caller.key), retries=0
        )

    def url(self, kind: str) -> str:
        """Where it is."""
        return f"{kind}s://127.0.0.1:{self.servers.http_port if kind == 'http' else self.servers.grpc_port}"


@pytest.fixture
async def secured(tmp_path: Path) -> AsyncIterator[Secured]:
    secured = Secured(tmp_path)
    await secured.servers.start()
    yield secured
    await secured.servers.stop(0)
    secured.plane.close()


@pytest.mark.parametrize("kind", KINDS)
async def test_a_key_and_a_certificate(secured: Secured, kind: str) -> None:
    async with secured.client(kind, "studio") as client:
        assert len(await client.generate("tiny", n=2)) == 2
        assert len(await client.stream("tiny", n=3).result()) == 3
        assert len(await client.models()) == 4
        assert await client.cancel("nothing") is False


@pytest.mark.parametrize("kind", KINDS)
async def test_keys_that_do_not_fit(secured: Secured, kind: str) -> None:
    async with secured.client(kind, None) as client:
        with pytest.raises(Unauthenticated):
            await client.generate("tiny")
    async with secured.client(kind, "elsewhere") as client:
        with pytest.raises(PermissionDenied):
            await client.stream("tiny").result()
    async with secured.client(kind, "slow") as client:
        with pytest.raises(RateLimited) as caught:
            for _ in range(3):
                await client.generate("tiny")
    assert caught.value.retry_after_s is not None
    assert caught.value.retryable


@pytest.mark.parametrize("kind", KINDS)
async def test_strangers(secured: Secured, kind: str) -> None:
    async with AsyncClient(secured.url(kind), retries=0) as client:
        with pytest.raises(Unreachable):
            await client.models()


@pytest.mark.parametrize("kind", KINDS)
async def test_blocking(secured: Secured, kind: str) -> None:
    caller = secured.authority.sign("caller")
    roots, key = str(secured.authority.cert), secured.keys.secrets["studio"]
    with Client(secured.url(kind), api_key=key, tls_roots=roots, tls_cert=(caller.cert, caller.key)) as client:
        made = await asyncio.to_thread(client.generate, "tiny")
        assert secured.keys.secrets["studio"] not in repr(client)
    assert made.model == "tiny"
