"""A worker's port, and what comes through it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest

from brood.protocol.wire import worker_pb2 as pb
from brood.remote import WorkerServer
from brood.remote.wire import INGRESS, METHOD, SERVICE, TOKEN
from helpers.backend import FakeBackend, ready
from helpers.ends import Gate
from helpers.workers import TOKEN as SECRET
from helpers.workers import Worker, until, working


@pytest.fixture
async def worker() -> AsyncIterator[Worker]:
    backend = FakeBackend([ready()])
    async with working(Worker("a", backend, backend.models)) as worker:
        yield worker


def link(channel: grpc.aio.Channel, ingress: str, token: str = SECRET) -> Any:
    method: Any = channel.stream_stream(f"/{SERVICE}/{METHOD}", None, None)
    return method(metadata=((TOKEN, token), (INGRESS, ingress)))


def order(chunk: int, n: int = 1) -> bytes:
    submit = pb.Submit(chunk=chunk, request_id="id", model="tiny", version=1, operation="generate", n=n)
    return pb.ToWorker(orders=[pb.Order(submit=submit)]).SerializeToString()


async def told(call: Any) -> pb.FromWorker:
    return pb.FromWorker.FromString(await anext(aiter(call)))


async def test_a_port_in_use_is_said_so(worker: Worker) -> None:
    other = WorkerServer(worker.backend, worker.status, SECRET)
    port = await other.start("127.0.0.1")
    third = WorkerServer(worker.backend, worker.status, SECRET)
    with pytest.raises(OSError, match=rf"cannot listen on 127\.0\.0\.1:{port}"):
        await third.start("127.0.0.1", port)
    await other.stop(0)


@pytest.mark.parametrize("token", ["", "another", "a toke\xf1"])
async def test_strangers_are_turned_away(worker: Worker, token: str) -> None:
    async with grpc.aio.insecure_channel(worker.address) as channel:
        with pytest.raises((grpc.aio.AioRpcError, grpc.aio.UsageError, TypeError, ValueError)) as caught:
            await told(link(channel, "stranger", token))
    assert "a token" not in str(caught.value).replace("another token", "")


async def test_the_first_message_is_the_status(worker: Worker) -> None:
    async with grpc.aio.insecure_channel(worker.address) as channel:
        first = await told(link(channel, "one"))
        assert first.status.worker_id == "a"
        assert len(first.status.models.models) == 1


async def test_a_second_link_of_an_ingress_ends_the_first(worker: Worker) -> None:
    backend = worker.backend
    assert isinstance(backend, FakeBackend)
    backend.held = Gate()
    async with grpc.aio.insecure_channel(worker.address) as channel:
        calls = []
        for ingress in ("one", "another"):
            calls.append(link(channel, ingress))
            await told(calls[-1])
            await calls[-1].write(order(1, n=2))
        await until(lambda: len(backend.running) == 2)
        second = link(channel, "one")
        await told(second)
        await until(lambda: len(backend.running) == 1)
        assert next(iter(backend.running)).startswith("id@2.")  # that of the other ingress runs on
        async for _ in calls[0]:  # it ends
            pass
        assert await calls[0].code() is grpc.StatusCode.OK


async def test_what_is_no_order_ends_the_link(worker: Worker) -> None:
    async with grpc.aio.insecure_channel(worker.address) as channel:
        call = link(channel, "one")
        await told(call)
        await call.write(b"\xff\xff\xff")
        assert await call.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_two_of_the_same_id_run_side_by_side(worker: Worker) -> None:
    backend = worker.backend
    assert isinstance(backend, FakeBackend)
    async with grpc.aio.insecure_channel(worker.address) as channel:
        call = link(channel, "one")
        await told(call)
        await call.write(order(1))
        await call.write(order(2))
        await until(lambda: len(backend.submitted) == 2)
    assert [each.request_id for each in backend.submitted] == ["id@1.1", "id@1.2"]


async def test_a_status_that_fails_once_is_told_later(worker: Worker) -> None:
    async with grpc.aio.insecure_channel(worker.address) as channel:
        call = link(channel, "one")
        await told(call)
        models = worker.models
        failed = asyncio.Event()

        def fails() -> Any:
            failed.set()
            raise RuntimeError("just now")

        worker.models = fails
        await failed.wait()
        worker.models, worker.interactive_s = models, 3.0
        while (await told(call)).status.interactive_s != 3.0:
            pass
