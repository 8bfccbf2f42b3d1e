"""Whoever keeps a stream open and takes nothing of it is gone after a while."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest

from brood.frontends.grpc import calls
from brood.protocol.wire import generator_pb2 as pb
from brood.protocol.wire import inference_pb2 as oip
from brood.protocol.wire.generator_pb2_grpc import GeneratorStub
from brood.protocol.wire.inference_pb2_grpc import GRPCInferenceServiceStub
from helpers.backend import FakeBackend
from helpers.ends import Ends

N = 4000  # samples of 3 KiB: more than the windows of a connection hold
PATIENCE_S = 20


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "STALL_S", 0.05)


def own_stream(channel: grpc.aio.Channel, over: asyncio.Event) -> Any:
    wanted = pb.OutputChoice(format="raw")
    return GeneratorStub(channel).GenerateStream(pb.GenerateRequest(model="tiny", n=N, output=wanted))


def oip_stream(channel: grpc.aio.Channel, over: asyncio.Event) -> Any:
    async def requests() -> AsyncIterator[oip.ModelInferRequest]:
        yield oip.ModelInferRequest(model_name="tiny", parameters={"n": oip.InferParameter(int64_param=N)})
        await over.wait()

    return GRPCInferenceServiceStub(channel).ModelStreamInfer(requests())


@pytest.mark.parametrize("stream", [own_stream, oip_stream])
async def test_it_ends_with_a_status(channel: grpc.aio.Channel, backend: FakeBackend, ends: Ends, stream: Any) -> None:
    over = asyncio.Event()
    async with asyncio.timeout(PATIENCE_S):
        call = stream(channel, over)
        await call.read()
        ended = await ends.next()
        assert ended[3] == "cancelled"
        taken = 1
        with pytest.raises(grpc.aio.AioRpcError, match=r"the caller took nothing for 0\.05 s") as caught:
            while True:  # it has no other end
                await call.read()
                taken += 1
    over.set()
    assert caught.value.code() == grpc.StatusCode.CANCELLED
    assert 1 < taken < N
    assert len(backend.closed) == 1
