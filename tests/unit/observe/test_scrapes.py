"""The server of the metrics: a check before each scrape, TLS, and nobody holds up anybody."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Counter

from brood.frontends.tls import Tls, server_context
from brood.observe.scrapes import ScrapeServer
from brood.protocol.errors import HostRefused, PermissionDenied, Unauthenticated
from helpers.certificates import Authority

LOOPBACK = "127.0.0.1"


@pytest.fixture
def registry() -> CollectorRegistry:
    registry = CollectorRegistry()
    Counter("counted", "something", registry=registry).inc(3)
    return registry


def check(host: str | None, authorization: str | None, api_key: str | None) -> None:
    if host != "metrics.test":
        raise HostRefused("another host")
    if authorization is None and api_key is None:
        raise Unauthenticated("a key is needed")
    if "good" not in (authorization, api_key):
        raise PermissionDenied("not with this key")


@pytest.fixture
def guarded(registry: CollectorRegistry) -> Iterator[ScrapeServer]:
    server = ScrapeServer(LOOPBACK, 0, registry, check, None)
    yield server
    server.close()


def get(
    server: ScrapeServer, headers: dict[str, str] | None = None, tls: ssl.SSLContext | None = None
) -> tuple[HTTPResponse, str]:
    connection = (
        HTTPConnection(LOOPBACK, server.port, timeout=5)
        if tls is None
        else HTTPSConnection(LOOPBACK, server.port, timeout=5, context=tls)
    )
    connection.request("GET", "/metrics", headers=headers or {})
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer, text


@pytest.mark.parametrize("header", ["authorization", "x-api-key"])
def test_who_passes_the_check_reads(guarded: ScrapeServer, header: str) -> None:
    answer, text = get(guarded, {"host": "metrics.test", header: "good"})
    assert answer.status == 200
    assert "counted_total 3.0" in text


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"host": "evil.example", "authorization": "good"}, 421, "host_refused"),
        ({"host": "metrics.test"}, 401, "unauthenticated"),
        ({"host": "metrics.test", "authorization": "bad"}, 403, "permission_denied"),
    ],
)
def test_who_does_not_is_told_why(guarded: ScrapeServer, headers: dict[str, str], status: int, code: str) -> None:
    answer, text = get(guarded, headers)
    assert (answer.status, json.loads(text)["error"]["code"]) == (status, code)
    assert (answer.getheader("WWW-Authenticate") is not None) == (status == 401)
    assert "counted" not in text


def test_without_a_check_everybody_reads(registry: CollectorRegistry) -> None:
    server = ScrapeServer("localhost", 0, registry, None, None)
    assert get(server)[0].status == 200
    server.close()


def test_over_tls_nobody_waits_for_who_does_not_shake_hands(registry: CollectorRegistry, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    pair = authority.sign("server")
    server = ScrapeServer(LOOPBACK, 0, registry, None, server_context(Tls(pair.cert, pair.key)))
    with socket.create_connection((LOOPBACK, server.port)):
        answer, text = get(server, tls=authority.client_context())
    assert (answer.status, "counted_total" in text) == (200, True)
    server.close()


def test_a_taken_port_is_an_error(guarded: ScrapeServer, registry: CollectorRegistry) -> None:
    with pytest.raises(OSError, match="in use"):
        ScrapeServer(LOOPBACK, guarded.port, registry, None, None)
