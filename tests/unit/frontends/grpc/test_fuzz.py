"""Whatever bytes come, on whichever method: an answer or a refusal, never a fault of ours, and the server goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import grpc
import numpy as np
import pytest
from google.protobuf.message import Message

from brood.frontends.grpc import calls
from brood.protocol.wire import generator_pb2, inference_pb2
from helpers.backend import FakeBackend

TRIES = 60  # of each method
PATIENCE_S = 20
FAULTS = {grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.DATA_LOSS}
IMAGE = np.zeros((1, 1, 28, 28), "<f4").tobytes()

own = generator_pb2.GenerateRequest(model="tiny", operation="reconstruct", n=1, seed=7)
own.inputs["image"].CopyFrom(generator_pb2.Tensor(content=IMAGE, format="raw", dtype="float32", shape=[1, 1, 28, 28]))
other = inference_pb2.ModelInferRequest(model_name="tiny", id="mine", raw_input_contents=[IMAGE])
other.inputs.add(name="image", datatype="FP32", shape=[1, 1, 28, 28])
other.parameters["operation"].string_param = "reconstruct"
other.parameters["timeout"].int64_param = 10**9

GENERATOR, INFERENCE = "brood.v1.Generator", "inference.GRPCInferenceService"
SEEDS: dict[str, Message] = {
    f"{GENERATOR}/Generate": own,
    f"{GENERATOR}/GenerateStream": own,
    f"{GENERATOR}/Cancel": generator_pb2.CancelRequest(id="mine"),
    f"{GENERATOR}/GetModel": generator_pb2.GetModelRequest(model="tiny", version=1),
    f"{INFERENCE}/ModelInfer": other,
    f"{INFERENCE}/ModelStreamInfer": other,
    f"{INFERENCE}/ModelReady": inference_pb2.ModelReadyRequest(name="tiny", version="1"),
    f"{INFERENCE}/ModelMetadata": inference_pb2.ModelMetadataRequest(name="tiny", version="1"),
    f"{INFERENCE}/ModelConfig": inference_pb2.ModelConfigRequest(name="tiny"),
    f"{INFERENCE}/ModelStatistics": inference_pb2.ModelStatisticsRequest(name="tiny"),
    f"{INFERENCE}/RepositoryIndex": inference_pb2.RepositoryIndexRequest(ready=True),
    f"{INFERENCE}/RepositoryModelLoad": inference_pb2.RepositoryModelLoadRequest(model_name="tiny"),
    f"{INFERENCE}/RepositoryModelUnload": inference_pb2.RepositoryModelUnloadRequest(model_name="tiny"),
}


def spoiled(message: Message) -> Iterator[bytes]:
    """The message cut off, with some bytes changed near its front, with bytes taken out, and mere noise."""
    whole, random = message.SerializeToString(deterministic=True), np.random.default_rng(7)
    front = min(len(whole), 120)
    for number in range(TRIES):
        content = bytearray(whole)
        match number % 4:
            case 0:
                content = content[: int(random.integers(len(whole)))]
            case 1:
                for place in random.integers(front, size=1 + number % 5):
                    content[place] = int(random.integers(256))
            case 2:
                start = int(random.integers(front))
                del content[start : start + 1 + number % 7]
            case _:
                content = bytearray(random.bytes(int(random.integers(200))))
        yield bytes(content)


async def ended(channel: grpc.aio.Channel, method: str, content: bytes) -> grpc.StatusCode:
    """How a call with these bytes ends."""
    call = channel.stream_stream(f"/{method}", request_serializer=bytes, response_deserializer=bytes)(iter([content]))
    try:
        async with asyncio.timeout(PATIENCE_S):
            async for answer in call:
                assert b"an error of the server" not in answer, content
    except grpc.aio.AioRpcError as error:
        return error.code()
    return grpc.StatusCode.OK


@pytest.mark.parametrize("method", SEEDS)
async def test_no_message_is_a_fault_of_ours(channel: grpc.aio.Channel, backend: FakeBackend, method: str) -> None:
    for content in spoiled(SEEDS[method]):
        assert await ended(channel, method, content) not in FAULTS, content
    whole = SEEDS[method].SerializeToString()
    assert await ended(channel, method, whole) in {grpc.StatusCode.OK, grpc.StatusCode.PERMISSION_DENIED}
    assert backend.running == {}


def raw(channel: grpc.aio.Channel, method: str) -> grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]:
    """A method that takes and gives bytes."""
    return channel.unary_unary(f"/{method}", request_serializer=bytes, response_deserializer=bytes)


def many(count: int) -> Iterator[tuple[str, Message]]:
    """Messages of so many small parts, in each of the places that may have any number."""
    request = generator_pb2.GenerateRequest(model="tiny", n=1)
    for number in range(count // 3):  # an entry, and its key and value
        request.params[str(number)].int_value = 1
    yield f"{GENERATOR}/Generate", request
    tensor = inference_pb2.ModelInferRequest.InferInputTensor(name="image", datatype="BYTES", shape=[1])
    tensor.contents.bytes_contents.extend([b""] * count)
    yield f"{INFERENCE}/ModelInfer", inference_pb2.ModelInferRequest(model_name="tiny", inputs=[tensor])
    yield (
        f"{INFERENCE}/ModelInfer",
        inference_pb2.ModelInferRequest(model_name="tiny", raw_input_contents=[b""] * count),
    )


@pytest.mark.parametrize("place", range(3))
async def test_messages_of_very_many_parts_are_refused_unread(
    channel: grpc.aio.Channel, monkeypatch: pytest.MonkeyPatch, place: int
) -> None:
    monkeypatch.setattr(calls, "MOST_PARTS", 30_000)
    method, message = list(many(33_000))[place]
    with pytest.raises(grpc.aio.AioRpcError, match="the message has too many parts: at most 30000") as caught:
        await raw(channel, method)(message.SerializeToString())
    assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_large_tensors_are_one_part(channel: grpc.aio.Channel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "MOST_PARTS", 100)
    request = generator_pb2.GenerateRequest(model="tiny", n=1, inputs={"x": generator_pb2.Tensor(content=bytes(2**18))})
    with pytest.raises(grpc.aio.AioRpcError, match=r"inputs\.x"):
        await raw(channel, f"{GENERATOR}/Generate")(request.SerializeToString())


async def test_large_noise_is_no_message(channel: grpc.aio.Channel) -> None:
    noise = np.random.default_rng(3).bytes(2**17)
    with pytest.raises(grpc.aio.AioRpcError, match=r"is not a brood\.v1\.GenerateRequest message"):
        await raw(channel, f"{GENERATOR}/Generate")(noise)
