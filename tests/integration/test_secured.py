"""A server with keys and TLS, as an operator starts it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import grpc
import httpx2
import pytest

from brood.protocol.wire import generator_pb2 as pb
from brood.protocol.wire.generator_pb2_grpc import GeneratorStub
from helpers.access import Keys
from helpers.certificates import Authority
from helpers.served import Served, eventually

pytestmark = pytest.mark.ray


def test_keys_and_tls_on_every_port(store: Path, tmp_path: Path) -> None:
    authority, keys = Authority(tmp_path), Keys(tmp_path)
    pair = authority.sign("server")
    files = ("--tls-cert", str(pair.cert), "--tls-key", str(pair.key), "--keys-file", str(keys.path))
    served = Served("--models", str(store), "--model", "once", *files)
    replica = served.replica().pid
    http = httpx2.Client(base_url=f"https://127.0.0.1:{served.http_port}", verify=authority.client_context())
    scrape = httpx2.Client(base_url=f"https://127.0.0.1:{served.metrics_port}", verify=authority.client_context())

    def generated(name: str) -> int:
        headers = {"authorization": keys.bearer(name)}
        return http.post("/v1/generations", json={"model": "once", "seed": 7}, headers=headers).status_code

    assert http.get("/readyz").status_code == 200
    assert [generated(name) for name in ("studio", "revoked", "elsewhere", "scraper")] == [200, 401, 403, 403]

    credentials = authority.channel_credentials()
    with grpc.secure_channel(f"127.0.0.1:{served.grpc_port}", credentials) as channel:
        stub: Any = GeneratorStub(channel)
        metadata = (("authorization", keys.bearer("studio")),)
        assert len(stub.Generate(pb.GenerateRequest(model="once", n=2), metadata=metadata).samples) == 2
        with pytest.raises(grpc.RpcError, match="a key is needed"):
            stub.Generate(pb.GenerateRequest(model="once"))

    scraped = scrape.get("/metrics", headers={"authorization": keys.bearer("scraper")})
    assert 'code="unauthenticated"' in scraped.text
    assert scrape.get("/metrics").status_code == 401
    assert scrape.get("/metrics", headers={"host": "evil.example"}).status_code == 421

    keys.revoke("studio")
    eventually(lambda: generated("studio") == 401, within_s=10)
    assert served.replica().pid == replica  # the health checks, too, get through
    error = served.end()
    for secret in keys.secrets.values():
        assert secret.rpartition("_")[2] not in error + "".join(served.told)
    http.close()
    scrape.close()
