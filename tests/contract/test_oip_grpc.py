"""The scenarios over the Open Inference Protocol's gRPC: the same bits, and the same errors in the same words."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import TYPE_CHECKING, Any, cast

import grpc
import numpy as np
import pytest

from brood.dataplane import DataPlane, Limits
from brood.frontends.oip.datatypes import NUMPY
from brood.protocol.errors import TABLE
from brood.protocol.wire import inference_pb2 as pb
from brood.protocol.wire.inference_pb2_grpc import GRPCInferenceServiceStub
from contract.oip import OWN_WORDS, UNSAID_OVER_GRPC, call_of, check_samples, said
from contract.scenarios import BAD, GOOD, Scenario
from contract.words import words_of
from helpers.backend import FakeBackend
from helpers.ends import Ends
from helpers.grpc_server import grpc_server

if TYPE_CHECKING:
    from brood.protocol.wire.inference_pb2_grpc import GRPCInferenceServiceAsyncStub

STATUSES = {row.code: row.grpc for row in TABLE.values()}


@pytest.fixture
def backend() -> FakeBackend:
    return FakeBackend()


@pytest.fixture
async def plane(backend: FakeBackend) -> AsyncIterator[DataPlane]:
    plane = DataPlane(backend, Limits(), Ends())
    yield plane
    plane.close()


@pytest.fixture
async def stub(plane: DataPlane) -> AsyncIterator[GRPCInferenceServiceAsyncStub]:
    async with grpc_server(plane) as target, grpc.aio.insecure_channel(target) as channel:
        yield GRPCInferenceServiceStub(channel)


def arrays(response: pb.ModelInferResponse) -> dict[str, np.ndarray]:
    """Outputs by name."""
    pairs = zip(response.outputs, response.raw_output_contents, strict=True)
    return {one.name: np.frombuffer(content, NUMPY[one.datatype]).reshape(one.shape) for one, content in pairs}


def together(responses: Iterable[pb.ModelStreamInferResponse]) -> dict[str, np.ndarray]:
    """The rows of a stream in their order."""
    rows = {each.infer_response.parameters["row"].int64_param: arrays(each.infer_response) for each in responses}
    assert sorted(rows) == list(range(len(rows)))
    return {name: np.concatenate([rows[row][name] for row in range(len(rows))]) for name in rows[0]}


@pytest.mark.parametrize("scenario", said(GOOD), ids=lambda scenario: scenario.name)
async def test_good(stub: GRPCInferenceServiceAsyncStub, scenario: Scenario) -> None:
    check_samples(scenario, arrays(await stub.ModelInfer(call_of(scenario).message())))


@pytest.mark.parametrize("scenario", said(GOOD), ids=lambda scenario: scenario.name)
async def test_good_as_a_stream(stub: GRPCInferenceServiceAsyncStub, scenario: Scenario) -> None:
    responses = [each async for each in stub.ModelStreamInfer(iter([call_of(scenario).message()]))]
    check_samples(scenario, together(responses))


@pytest.mark.parametrize("scenario", said(BAD, UNSAID_OVER_GRPC), ids=lambda scenario: scenario.name)
async def test_bad(
    stub: GRPCInferenceServiceAsyncStub, plane: DataPlane, backend: FakeBackend, scenario: Scenario
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.ModelInfer(call_of(scenario).message())
    refusal = scenario.refusal
    assert refusal is not None
    error, trailers = caught.value, dict(cast("Any", caught.value.trailing_metadata()))
    assert (error.code().name, trailers["brood-error-code"]) == (STATUSES[refusal.code], refusal.code)
    assert trailers["brood-error-field"] == OWN_WORDS.get(scenario.name, refusal.field)
    if scenario.name not in OWN_WORDS:
        assert error.details() == (await words_of(plane, scenario.request)).message
    assert backend.submitted == []


@pytest.mark.parametrize("scenario", said(BAD, UNSAID_OVER_GRPC), ids=lambda scenario: scenario.name)
async def test_bad_in_a_stream(stub: GRPCInferenceServiceAsyncStub, plane: DataPlane, scenario: Scenario) -> None:
    responses = [each async for each in stub.ModelStreamInfer(iter([call_of(scenario).message()]))]
    assert len(responses) == 1
    error = responses[0].error_message
    if scenario.name in OWN_WORDS:
        assert error.startswith(f"{OWN_WORDS[scenario.name]}: "), error
    else:
        assert error == (await words_of(plane, scenario.request)).message
