from __future__ import annotations

import asyncio
import pickle
import signal
import socket
import time
from collections.abc import AsyncIterator

import grpc
import httpx2
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest
from grpc_health.v1.health_pb2_grpc import HealthStub

from brood.dataplane import DataPlane, Limits
from brood.frontends.servers import PortInUse, ServerOptions, Servers, listen
from helpers.backend import FakeBackend
from helpers.observer import FakeObserver

LOOPBACK = "127.0.0.1"
HUNDRED_MB = 100 * 10**6
TINY = {"model": "tiny", "seed": 7}


class Running:
    """Servers on free ports over a fake backend."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.backend = FakeBackend()
        self.plane = DataPlane(self.backend, limits or Limits(max_body_bytes=2**20), FakeObserver())
        self.servers = Servers(self.plane, ServerOptions(LOOPBACK, 0, 0, names=("Brood.Test",)))
        self.stopped = False

    async def start(self) -> None:
        await self.servers.start()
        self.client = httpx2.AsyncClient(base_url=f"http://{LOOPBACK}:{self.servers.http_port}")

    async def stop(self, grace_s: float = 5.0) -> None:
        if not self.stopped:
            self.stopped = True
            await self.servers.stop(grace_s)
            await self.client.aclose()
            self.plane.close()


@pytest.fixture
async def running() -> AsyncIterator[Running]:
    running = Running()
    await running.start()
    yield running
    await running.stop()


async def test_both_transports_answer(running: Running) -> None:
    response = await running.client.post("/v1/generations", json=TINY)
    assert (response.status_code, len(response.json()["samples"])) == (200, 1)
    async with grpc.aio.insecure_channel(f"{LOOPBACK}:{running.servers.grpc_port}") as channel:
        assert await HealthStub(channel).Check(HealthCheckRequest()) is not None


async def test_only_the_configured_address_listens(running: Running) -> None:
    for port in (running.servers.http_port, running.servers.grpc_port):
        socket.create_connection((LOOPBACK, port), timeout=5).close()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.2", port), timeout=5)


@pytest.mark.parametrize(("host", "status"), [("localhost", 200), ("brood.test:80", 200), ("evil.example", 421)])
async def test_hosts_are_checked_on_loopback(running: Running, host: str, status: int) -> None:
    assert (await running.client.get("/healthz", headers={"host": host})).status_code == status


async def test_signals_are_left_alone() -> None:
    kinds = (signal.SIGINT, signal.SIGTERM)
    before = [signal.getsignal(kind) for kind in kinds]
    running = Running()
    await running.start()
    assert [signal.getsignal(kind) for kind in kinds] == before
    await running.stop()


async def test_a_large_body_is_refused_before_it_is_sent(running: Running) -> None:
    reader, writer = await asyncio.open_connection(LOOPBACK, running.servers.http_port)
    head = ["POST /v1/generations HTTP/1.1", "Host: localhost", "Content-Type: application/json"]
    writer.write("\r\n".join([*head, f"Content-Length: {HUNDRED_MB}", "", ""]).encode())
    assert b" 413 " in await asyncio.wait_for(reader.readline(), 1)
    writer.close()


async def chunks() -> AsyncIterator[bytes]:
    """100 MB in pieces, of a length nobody told."""
    for _ in range(HUNDRED_MB // 10**6):
        yield b" " * 10**6


@pytest.mark.parametrize("announced", [True, False])
async def test_100_mb_are_refused_while_others_go_on(running: Running, announced: bool) -> None:
    headers = {"content-type": "application/json"}
    content = b" " * HUNDRED_MB if announced else chunks()
    start = time.monotonic()
    large = asyncio.ensure_future(running.client.post("/v1/generations", content=content, headers=headers))
    small = await running.client.post("/v1/generations", json=TINY)
    response = await large
    assert time.monotonic() - start < 5  # takes about 0.2 s
    assert (small.status_code, response.status_code) == (200, 413)
    assert response.json()["error"]["code"] == "payload_too_large"


async def test_a_caller_that_leaves_cancels(running: Running) -> None:
    running.backend.held = asyncio.Event()
    task = asyncio.ensure_future(running.client.post("/v1/generations", json=TINY))
    request_id = await running.backend.started.get()
    assert running.backend.closed == []
    task.cancel()
    assert await asyncio.wait_for(running.backend.ended.get(), 5) == request_id


async def test_a_stream_comes_as_it_is_made_and_ends_when_its_caller_leaves(running: Running) -> None:
    running.backend.held = asyncio.Event()
    async with running.client.stream("POST", "/v1/generations", json=TINY | {"stream": True}) as response:
        lines = response.aiter_lines()
        assert [await anext(lines) for _ in range(2)] == ["event: accepted", "id: 0"]
        request_id = response.headers["x-request-id"]
        assert running.backend.closed == []
    assert await asyncio.wait_for(running.backend.ended.get(), 5) == request_id
    assert (await running.client.get("/healthz")).status_code == 200


async def test_a_generation_is_cancelled_from_another_connection(running: Running) -> None:
    running.backend.held = asyncio.Event()
    task = asyncio.ensure_future(running.client.post("/v1/generations", json=TINY))
    request_id = await running.backend.started.get()
    assert (await running.client.delete(f"/v1/generations/{request_id}")).status_code == 204
    assert (await task).json()["error"]["code"] == "cancelled"


async def test_a_body_that_does_not_come_ends_the_connection() -> None:
    running = Running(Limits(body_idle_s=0.05))
    await running.start()
    reader, writer = await asyncio.open_connection(LOOPBACK, running.servers.http_port)
    head = ["POST /v1/generations HTTP/1.1", "Host: localhost", "Content-Type: application/json"]
    writer.write("\r\n".join([*head, "Content-Length: 100", "", '{"model"']).encode())
    answer = await asyncio.wait_for(reader.read(), 5)  # to the end of the connection
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b'"request_timeout"' in answer
    writer.close()
    assert (await running.client.post("/v1/generations", json=TINY)).status_code == 200
    await running.stop()


async def test_stopping_lets_running_requests_end(running: Running) -> None:
    running.backend.held = asyncio.Event()
    task = asyncio.ensure_future(running.client.post("/v1/generations", json=TINY))
    await running.backend.started.get()
    stopping = asyncio.ensure_future(running.stop(grace_s=20.0))
    await asyncio.sleep(0)
    running.backend.held.set()
    assert (await task).status_code == 200
    await stopping
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((LOOPBACK, running.servers.http_port), timeout=5)


async def test_what_outlives_the_grace_is_told_so(running: Running) -> None:
    running.backend.held = asyncio.Event()
    task = asyncio.ensure_future(running.client.post("/v1/generations", json=TINY))
    await running.backend.started.get()
    await running.servers.stop(0.0)
    running.stopped = True
    response = await task
    assert (response.status_code, response.json()["error"]["code"]) == (503, "not_ready")
    await running.client.aclose()
    running.plane.close()


@pytest.mark.parametrize("busy", ["http", "grpc"])
async def test_a_port_in_use_is_told_and_nothing_stays_open(busy: str) -> None:
    taken, free = listen(LOOPBACK, 0, "other"), listen(LOOPBACK, 0, "other")
    ports = {"http": free.getsockname()[1], "grpc": free.getsockname()[1], busy: taken.getsockname()[1]}
    free.close()
    plane = DataPlane(FakeBackend(), Limits(), FakeObserver())
    servers = Servers(plane, ServerOptions(LOOPBACK, ports["http"], ports["grpc"]))
    with pytest.raises(PortInUse) as caught:
        await servers.start()
    await servers.stop(0.0)
    assert (caught.value.port, caught.value.name) == (ports[busy], busy)
    listen(LOOPBACK, ports["grpc" if busy == "http" else "http"], "again").close()
    taken.close()
    plane.close()


def test_port_in_use_says_what_to_do_and_survives_pickling() -> None:
    error = pickle.loads(pickle.dumps(PortInUse(8000, "http")))
    assert str(error) == "port 8000 is in use; end what listens there, or choose another with --http-port"
    assert (error.port, error.name) == (8000, "http")
    named = pickle.loads(pickle.dumps(PortInUse(8000, "http", by="another")))
    assert str(named).startswith("port 8000 is in use by another; ")


def test_an_address_of_another_machine() -> None:
    with pytest.raises(OSError, match="assign requested address"):
        listen("192.0.2.1", 0, "http")
