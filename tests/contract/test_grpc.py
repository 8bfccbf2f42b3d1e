"""The scenarios over gRPC: the same samples and the same errors, in the same words, as from the data plane itself."""

from __future__ import annotations

import base64
import io
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, cast

import grpc
import numpy as np
import pytest

from brood.dataplane import DataPlane, Limits
from brood.protocol.errors import TABLE, row_of
from brood.protocol.wire import generator_pb2 as pb
from brood.protocol.wire.convert import plain_of, request_message
from brood.protocol.wire.generator_pb2_grpc import GeneratorStub
from contract.scenarios import BAD, GOOD, STREAMED, Request, Scenario, expected
from contract.words import words_of
from helpers.backend import FakeBackend
from helpers.ends import Ends
from helpers.grpc_server import grpc_server

if TYPE_CHECKING:
    from brood.protocol.wire.generator_pb2_grpc import GeneratorAsyncStub

STATUSES = {row.code: row.grpc for row in TABLE.values()}
GOOD_HERE, BAD_HERE, STREAMED_HERE = (
    [pytest.param(scenario, id=scenario.name) for scenario in scenarios if not scenario.json_only]
    for scenarios in (GOOD, BAD, STREAMED)
)


@pytest.fixture
async def plane() -> AsyncIterator[DataPlane]:
    plane = DataPlane(FakeBackend(), Limits(), Ends())
    yield plane
    plane.close()


@pytest.fixture
async def stub(plane: DataPlane) -> AsyncIterator[GeneratorAsyncStub]:
    async with grpc_server(plane) as target, grpc.aio.insecure_channel(target) as channel:
        yield GeneratorStub(channel)


def message_of(request: Request) -> pb.GenerateRequest:
    """The JSON body of a scenario as a message."""
    inputs = {name: tensor_fields(value) for name, value in request.get("inputs", {}).items()}
    return request_message({**request, "inputs": inputs})


def tensor_fields(value: dict[str, Any]) -> dict[str, Any]:
    """Base64 becomes bytes, and numbers, which messages do not carry, raw bytes."""
    if "data" in value:
        array = np.asarray(value["data"], np.uint8)
        return {"b64": array.tobytes(), "format": "raw", "dtype": "uint8", "shape": array.shape}
    return {**value, "b64": base64.b64decode(value.get("b64", ""))}


def array_of(output: pb.Output) -> np.ndarray:
    """What an output means."""
    if output.HasField("scalar"):
        return np.asarray(plain_of(output.scalar))
    tensor = output.tensor
    if tensor.format == "npy":
        return cast("np.ndarray", np.load(io.BytesIO(tensor.content), allow_pickle=False))
    return np.frombuffer(tensor.content, tensor.dtype).reshape(tuple(tensor.shape))


def check_samples(scenario: Scenario, samples: list[pb.Sample]) -> None:
    wanted = expected(scenario)
    assert [(sample.index, sample.seed) for sample in samples] == [(index, seed) for index, seed, _ in wanted]
    for sample, (_, _, outputs) in zip(samples, wanted, strict=True):
        assert set(sample.outputs) == set(outputs)
        for name, array in outputs.items():
            np.testing.assert_array_equal(array_of(sample.outputs[name]), array)


@pytest.mark.parametrize("scenario", GOOD_HERE)
async def test_good_requests_give_the_same_samples(stub: GeneratorAsyncStub, scenario: Scenario) -> None:
    answer = await stub.Generate(message_of(scenario.request))
    check_samples(scenario, list(answer.samples))


@pytest.mark.parametrize("scenario", GOOD_HERE + STREAMED_HERE)
async def test_streams_give_the_same_samples(stub: GeneratorAsyncStub, scenario: Scenario) -> None:
    events = [event async for event in stub.GenerateStream(message_of(scenario.request))]
    samples = [event.sample for event in events if event.HasField("sample")]
    samples.sort(key=lambda sample: sample.index)
    check_samples(scenario, samples)


async def check_refusal(plane: DataPlane, scenario: Scenario, error: grpc.aio.AioRpcError) -> None:
    refusal = scenario.refusal
    assert refusal is not None
    words = dict(cast("Any", error.trailing_metadata()))
    assert (words["brood-error-code"], words.get("brood-error-field")) == (refusal.code, refusal.field)
    assert error.code().name == STATUSES[refusal.code]
    if scenario.name != "input without a value":  # a message always has bytes, so it lacks something else
        local = await words_of(plane, scenario.request)
        assert (error.details(), refusal.code) == (local.message, row_of(local).code)


@pytest.mark.parametrize("scenario", BAD_HERE + STREAMED_HERE)
async def test_bad_requests_give_the_same_errors(
    stub: GeneratorAsyncStub, plane: DataPlane, scenario: Scenario
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.Generate(message_of(scenario.request))
    await check_refusal(plane, scenario, caught.value)


@pytest.mark.parametrize("scenario", BAD_HERE)
async def test_bad_requests_for_streams_give_the_same_errors(
    stub: GeneratorAsyncStub, plane: DataPlane, scenario: Scenario
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await anext(aiter(stub.GenerateStream(message_of(scenario.request))))
    await check_refusal(plane, scenario, caught.value)
