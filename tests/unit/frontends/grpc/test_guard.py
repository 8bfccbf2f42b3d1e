"""What stands in front of the gRPC services: early, for as long as the call lasts, and silent about keys."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import grpc
import pytest
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest
from grpc_reflection.v1alpha.reflection_pb2_grpc import ServerReflectionStub

from brood.access.gate import Gate
from brood.dataplane import DataPlane, Limits
from brood.protocol.wire import generator_pb2 as pb
from brood.protocol.wire import inference_pb2 as inference
from brood.protocol.wire.generator_pb2_grpc import GeneratorStub
from brood.protocol.wire.inference_pb2_grpc import GRPCInferenceServiceStub
from helpers.access import UNKNOWN_KEY, Keys, Time
from helpers.backend import FakeBackend
from helpers.ends import Ends
from helpers.ends import Gate as Barrier
from helpers.grpc_server import grpc_server

if TYPE_CHECKING:
    from brood.protocol.wire.generator_pb2_grpc import GeneratorAsyncStub

TINY = pb.GenerateRequest(model="tiny", seed=7)
Metadata = tuple[tuple[str, str], ...]


class Guarded:
    """A server behind keys, and stubs for it."""

    def __init__(self, keys: Keys, gate: Gate) -> None:
        self.keys, self.gate = keys, gate
        self.backend, self.ends = FakeBackend(), Ends()
        self.plane = DataPlane(self.backend, Limits(max_body_bytes=2**16), self.ends)
        self.own: GeneratorAsyncStub
        self.other: Any
        self.channel: grpc.aio.Channel

    def key(self, name: str) -> Metadata:
        """As a caller sends it."""
        return (("authorization", self.keys.bearer(name)),)

    async def status(self, call: Any) -> grpc.StatusCode:
        """How a call ends."""
        try:
            await call
        except grpc.aio.AioRpcError as error:
            return error.code()
        return grpc.StatusCode.OK


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
async def guarded(tmp_path: Path, time: Time) -> AsyncIterator[Guarded]:
    keys = Keys(tmp_path)
    guarded = Guarded(keys, keys.gate(time))
    async with grpc_server(guarded.plane, gate=guarded.gate) as target, grpc.aio.insecure_channel(target) as channel:
        guarded.channel = channel
        guarded.own, guarded.other = GeneratorStub(channel), GRPCInferenceServiceStub(channel)
        yield guarded
    guarded.plane.close()


async def test_a_refusal_has_an_id_and_is_counted(guarded: Guarded) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await guarded.own.Generate(TINY, metadata=(("x-request-id", "mine"),))
    words = dict(cast("Any", caught.value.trailing_metadata()))
    assert (caught.value.code(), words["x-request-id"]) == (grpc.StatusCode.UNAUTHENTICATED, "mine")
    assert await guarded.ends.next() == ("unknown", "unknown", "grpc", "unauthenticated", 0)


async def test_the_other_name_of_the_header(guarded: Guarded) -> None:
    for secret, status in ((guarded.keys.secrets["studio"], grpc.StatusCode.OK), (UNKNOWN_KEY, None)):
        call = guarded.own.Generate(TINY, metadata=(("x-api-key", secret),))
        assert await guarded.status(call) == (status or grpc.StatusCode.UNAUTHENTICATED)


async def test_reflection_is_open(guarded: Guarded) -> None:
    stub: Any = ServerReflectionStub(guarded.channel)
    call = stub.ServerReflectionInfo(iter([ServerReflectionRequest(list_services="")]))
    assert "brood.v1.Generator" in str(await call.read())


async def test_a_method_that_is_not_there(guarded: Guarded) -> None:
    method: Any = cast("Any", guarded.channel).unary_unary("/brood.v1.Generator/Dream")
    expected = {"operator": grpc.StatusCode.UNIMPLEMENTED, "studio": grpc.StatusCode.PERMISSION_DENIED}
    for name, status in expected.items():
        assert await guarded.status(method(b"", metadata=guarded.key(name))) == status


async def test_a_large_message_is_refused_for_its_key_before_it_is_received(guarded: Guarded) -> None:
    """A message above the limit would be RESOURCE_EXHAUSTED if anybody had asked for it."""
    large = pb.GenerateRequest(model="x" * 2**17)
    assert await guarded.status(guarded.own.Generate(large)) == grpc.StatusCode.UNAUTHENTICATED
    call = guarded.own.Generate(large, metadata=guarded.key("studio"))
    assert await guarded.status(call) == grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_too_many_at_once(guarded: Guarded) -> None:
    held = guarded.backend.held = Barrier()
    single = guarded.key("single")
    first = asyncio.ensure_future(guarded.status(guarded.own.Generate(TINY, metadata=single)))
    await held.reached.wait()
    for call in (
        guarded.own.Generate(TINY, metadata=single),
        anext(aiter(guarded.own.GenerateStream(TINY, metadata=single))),
    ):
        assert await guarded.status(call) == grpc.StatusCode.RESOURCE_EXHAUSTED
    held.set()
    assert await first == grpc.StatusCode.OK
    assert await guarded.status(guarded.own.Generate(TINY, metadata=single)) == grpc.StatusCode.OK


@pytest.mark.parametrize("stream", [False, True])
async def test_who_leaves_gives_the_place_back(guarded: Guarded, stream: bool) -> None:
    held = guarded.backend.held = Barrier()
    single = guarded.key("single")
    call: Any = (guarded.own.GenerateStream if stream else guarded.own.Generate)(TINY, metadata=single)
    if stream:
        await call.read()
    await held.reached.wait()
    assert guarded.gate.running == 1
    call.cancel()
    await guarded.ends.next()
    guarded.backend.held = None
    assert guarded.gate.running == 0
    assert await guarded.status(guarded.own.Generate(TINY, metadata=single)) == grpc.StatusCode.OK


async def test_a_request_that_fails_gives_the_place_back(guarded: Guarded) -> None:
    single = guarded.key("single")
    bad = pb.GenerateRequest(model="tiny", n=0)
    for _ in range(2):
        call = guarded.own.Generate(bad, metadata=single)
        assert await guarded.status(call) == grpc.StatusCode.INVALID_ARGUMENT
    assert guarded.gate.running == 0


async def test_each_request_of_a_stream_is_counted(guarded: Guarded) -> None:
    """The key may ask twice; of three requests on one stream, two are answered."""
    request = inference.ModelInferRequest(model_name="tiny")
    call = guarded.other.ModelStreamInfer(iter([request] * 3), metadata=guarded.key("slow"))
    answers: list[inference.ModelStreamInferResponse] = []
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        while len(answers) < 3:
            answers.append(await call.read())
    assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "too many requests with the key" in (caught.value.details() or "")
    assert len(answers) == 2
    assert guarded.gate.running == 0


async def test_no_key_stands_in_the_log_or_in_an_answer(
    guarded: Guarded, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(guarded.backend, "submit", broken)
    said = ""
    with caplog.at_level(logging.DEBUG):
        for secret in (*guarded.keys.secrets.values(), UNKNOWN_KEY):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await guarded.own.Generate(TINY, metadata=(("authorization", f"Bearer {secret}"),))
            said += f"{caught.value!r} {caught.value.details()}"
    assert "failed" in caplog.text
    for secret in (*guarded.keys.secrets.values(), UNKNOWN_KEY):
        assert secret.rpartition("_")[2] not in caplog.text + said
