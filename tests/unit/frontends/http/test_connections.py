"""Connections on which no request comes are closed; all others are let be."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator

import pytest

from brood.dataplane import DataPlane, Limits
from brood.frontends.http import connections
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
    monkeypatch.setattr(connections, "HEAD_S", 0.02)
    assert await rest(port, sent, answers) == b""


async def test_a_connection_on_which_nothing_comes(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "SILENT_S", 0.02)
    assert await rest(port, b"") == b""


async def test_whoever_has_said_what_it_wants_is_let_be(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEAD_S", 0.02)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    async with asyncio.timeout(PATIENCE_S):
        for _ in range(3):
            writer.write(GET + b"\r\n")
            assert (await reader.readuntil(b"}")).startswith(b"HTTP/1.1 200 ")
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(reader.read(1), 3 * connections.HEAD_S)
    writer.close()


MANY = connections.HEAD_BYTES + 1
CHUNKED = b"POST /v1/generations HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
AWAITED = CHUNKED.replace(b"\r\n\r\n", b"\r\nContent-Type: application/json\r\n\r\n")


@pytest.mark.parametrize(
    "sent",
    [
        GET + b"X: " + b"y" * MANY,  # one header without an end
        GET + b"X: " + b"y" * MANY + b"\r\n\r\n",
        GET + b"X: y\r\n" * MANY,  # many
        b"GET /" + b"y" * MANY,
        AWAITED + b"1\r\nx\r\n0\r\n" + b"X: y\r\n" * MANY,  # trailers
        AWAITED + b"1\r\nx\r\n0\r\nX: " + b"y" * 8 * MANY,
        AWAITED + b"1;" + b"y" * 8 * MANY,  # an extension of a chunk
    ],
)
async def test_headers_have_an_end(port: int, caplog: pytest.LogCaptureFixture, sent: bytes) -> None:
    head, _, body = (await rest(port, sent)).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 413 ")
    assert b"connection: close" in head
    error = json.loads(body)["error"]
    assert (error["code"], error["message"]) == (
        "payload_too_large",
        f"the headers are too large; allowed: {connections.HEAD_BYTES} bytes in all",
    )
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x00\xa5",  # a client that speaks TLS
        b"BREW /pot HTTP/1.1\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        CHUNKED + b"-1\r\n",
        GET + b"X: a\0b\r\n\r\n",
    ],
)
async def test_what_is_no_http_is_refused_in_our_own_form(port: int, sent: bytes) -> None:
    head, _, body = (await rest(port, sent)).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"content-type: application/json" in head
    assert json.loads(body)["error"]["code"] == "invalid_argument"


async def test_nothing_is_written_into_an_answer_that_is_owed(port: int) -> None:
    answers = await rest(port, GET + b"\r\n" + b"nonsense\r\n\r\n")
    assert b" 400 " not in answers


async def test_large_bodies_are_no_headers(port: int) -> None:
    content = b"x" * 4 * connections.HEAD_BYTES
    body = b"%x\r\n%b\r\n" % (len(content), content)
    answer = await rest(port, CHUNKED + 3 * body + b"0\r\n\r\n" + GET + b"Connection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 415 ")  # it says no type
    assert answer.count(b"HTTP/1.1 200 ") == 1  # and what follows is read as the next request


async def test_trailers_are_not_taken_for_headers(port: int) -> None:
    trailer = b"1\r\nx\r\n0\r\nContent-Type: application/json\r\n\r\n"
    answer = await rest(port, CHUNKED + trailer + GET + b"Connection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 415 ")
    assert b" 200 " in answer


async def test_a_body_that_nobody_waits_for_has_an_end(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "LINGER_S", 0.02)
    answer = await rest(port, CHUNKED + b"1\r\nx\r\n")
    assert answer.startswith(b"HTTP/1.1 415 ")


async def test_after_such_a_body_silence_has_an_end_too(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    async with asyncio.timeout(PATIENCE_S):
        writer.write(CHUNKED + b"1\r\nx\r\n")
        await reader.readuntil(b"}}")
        monkeypatch.setattr(connections, "SILENT_S", 0.02)
        writer.write(b"0\r\n\r\n")
        assert await reader.read() == b""
    writer.close()


MODEL_N = 4000  # samples of 3 KiB: more than the buffers of two sockets hold
ASKED = b'{"model":"tiny","n":%d,"output":{"format":"raw"}%b}'


def post(body: bytes) -> bytes:
    head = b"POST /v1/generations HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: "
    return head + b"%d\r\n\r\n%b" % (len(body), body)


@pytest.mark.parametrize("more", [b"", b',"stream":true'])
async def test_whoever_takes_nothing_is_gone(port: int, monkeypatch: pytest.MonkeyPatch, more: bytes) -> None:
    monkeypatch.setattr(connections, "STALL_S", 0.05)
    lost = asyncio.Event()
    over = connections.PatientProtocol.connection_lost

    def seen(self: connections.PatientProtocol, exc: Exception | None) -> None:
        over(self, exc)
        lost.set()

    monkeypatch.setattr(connections.PatientProtocol, "connection_lost", seen)
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**10)
    async with asyncio.timeout(4 * PATIENCE_S):
        writer.write(post(ASKED % (MODEL_N, more)))
        assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")
        await lost.wait()  # nothing more is read: the stream reader stops at its limit
    writer.transport.abort()
