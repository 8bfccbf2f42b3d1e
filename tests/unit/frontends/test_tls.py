"""Both transports over TLS, with and without certificates of the callers."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import httpx2
import pytest

from brood.dataplane import DataPlane, Limits
from brood.frontends.servers import ServerOptions, Servers
from brood.frontends.tls import Tls, TlsError, server_context
from brood.protocol.wire import generator_pb2 as pb
from brood.protocol.wire.generator_pb2_grpc import GeneratorStub
from helpers.access import Keys, Time
from helpers.backend import FakeBackend
from helpers.certificates import Authority, Pair
from helpers.observer import FakeObserver

LOOPBACK = "127.0.0.1"
TINY = {"model": "tiny", "seed": 7}


class Secured:
    """Servers on free ports behind keys and TLS."""

    def __init__(self, directory: Path) -> None:
        self.authority = Authority(directory)
        self.stranger = Authority(directory, "stranger")
        pair = self.authority.sign("server")
        self.tls = Tls(pair.cert, pair.key)
        self.keys = Keys(directory)
        self.plane = DataPlane(FakeBackend(), Limits(), FakeObserver())
        self.servers: Servers

    async def start(self, tls: Tls) -> None:
        self.servers = Servers(self.plane, ServerOptions(LOOPBACK, 0, 0, gate=self.keys.gate(Time()), tls=tls))
        await self.servers.start()

    async def over_http(self, context: ssl.SSLContext, key: str = "studio", scheme: str = "https") -> httpx2.Response:
        headers = {"authorization": self.keys.bearer(key)}
        async with httpx2.AsyncClient(verify=context, headers=headers) as client:
            return await client.post(f"{scheme}://{LOOPBACK}:{self.servers.http_port}/v1/generations", json=TINY)

    async def over_grpc(self, by: Authority, own: Pair | None = None, key: str = "studio") -> pb.GenerateResponse:
        credentials = by.channel_credentials(own)
        target = f"{LOOPBACK}:{self.servers.grpc_port}"
        async with grpc.aio.secure_channel(target, credentials) as channel:
            stub: Any = GeneratorStub(channel)
            metadata = (("authorization", self.keys.bearer(key)),)
            answer: pb.GenerateResponse = await stub.Generate(
                pb.GenerateRequest(model="tiny", seed=7), metadata=metadata
            )
            return answer


@pytest.fixture
async def secured(tmp_path: Path) -> AsyncIterator[Secured]:
    secured = Secured(tmp_path)
    yield secured
    await secured.servers.stop(0.0)
    secured.plane.close()


async def test_samples_come_over_tls_to_who_trusts_the_authority(secured: Secured) -> None:
    await secured.start(secured.tls)
    answer = await secured.over_http(secured.authority.client_context())
    assert (answer.status_code, len(answer.json()["samples"])) == (200, 1)
    assert len((await secured.over_grpc(secured.authority)).samples) == 1


async def test_keys_are_asked_for_behind_tls_too(secured: Secured) -> None:
    await secured.start(secured.tls)
    answer = await secured.over_http(secured.authority.client_context(), "revoked")
    assert answer.status_code == 401
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await secured.over_grpc(secured.authority, key="revoked")
    assert caught.value.code() == grpc.StatusCode.UNAUTHENTICATED


async def test_who_trusts_another_authority_sends_nothing(secured: Secured) -> None:
    await secured.start(secured.tls)
    with pytest.raises(httpx2.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        await secured.over_http(secured.stranger.client_context())
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await secured.over_grpc(secured.stranger)
    assert caught.value.code() == grpc.StatusCode.UNAVAILABLE


async def test_there_is_no_answer_in_the_clear(secured: Secured) -> None:
    await secured.start(secured.tls)
    with pytest.raises(httpx2.TransportError):
        await secured.over_http(secured.authority.client_context(), scheme="http")


async def test_where_callers_must_show_a_certificate(secured: Secured) -> None:
    await secured.start(Tls(secured.tls.cert, secured.tls.key, secured.authority.cert))
    own, foreign = secured.authority.sign("client"), secured.stranger.sign("foreign")
    assert (await secured.over_http(secured.authority.client_context(own))).status_code == 200
    assert len((await secured.over_grpc(secured.authority, own)).samples) == 1
    for pair in (None, foreign):
        with pytest.raises((httpx2.TransportError, ssl.SSLError)):
            await secured.over_http(secured.authority.client_context(pair))
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await secured.over_grpc(secured.authority, pair)
        assert caught.value.code() == grpc.StatusCode.UNAVAILABLE


def test_old_versions_of_tls_are_refused(tmp_path: Path) -> None:
    pair = Authority(tmp_path).sign("server")
    assert server_context(Tls(pair.cert, pair.key)).minimum_version == ssl.TLSVersion.TLSv1_2


@pytest.mark.parametrize("wrong", ["missing", "garbage", "another key", "encrypted key", "no authority"])
def test_files_that_cannot_be_used(tmp_path: Path, wrong: str) -> None:
    authority = Authority(tmp_path)
    pair, other = authority.sign("server"), authority.sign("other")
    garbage, missing = tmp_path / "garbage", tmp_path / "missing"
    garbage.write_text("garbage")
    tls = {
        "missing": Tls(missing, pair.key),
        "garbage": Tls(garbage, pair.key),
        "another key": Tls(pair.cert, other.key),
        "encrypted key": Tls(pair.cert, authority.sign("locked", b"password").key),
        "no authority": Tls(pair.cert, pair.key, garbage),
    }[wrong]
    with pytest.raises(TlsError) as caught:
        server_context(tls)
    assert str(caught.value).startswith("tls: ")
    assert "\n" not in str(caught.value)
