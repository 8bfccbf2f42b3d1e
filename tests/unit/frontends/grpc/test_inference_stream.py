"""ModelStreamInfer: in order, side by side, with errors that end nothing but their request."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import grpc
import numpy as np
import pytest

from brood.protocol.errors import Overloaded
from brood.protocol.wire import inference_pb2 as pb
from brood.protocol.wire.inference_pb2_grpc import GRPCInferenceServiceStub
from helpers.backend import FakeBackend
from helpers.ends import Ends

if TYPE_CHECKING:
    from brood.protocol.wire.inference_pb2_grpc import GRPCInferenceServiceAsyncStub

Responses = AsyncIterator[pb.ModelStreamInferResponse]


@pytest.fixture
def stub(channel: grpc.aio.Channel) -> GRPCInferenceServiceAsyncStub:
    return GRPCInferenceServiceStub(channel)


def asked(own_id: str, *, final: bool = False, model: str = "tiny", **parameters: int) -> pb.ModelInferRequest:
    request = pb.ModelInferRequest(model_name=model, id=own_id)
    for name, value in parameters.items():
        request.parameters[name].int64_param = value
    if final:
        request.parameters["triton_enable_empty_final_response"].bool_param = True
    return request


async def answers(
    stub: GRPCInferenceServiceAsyncStub, *requests: pb.ModelInferRequest
) -> list[pb.ModelStreamInferResponse]:
    return [answer async for answer in stub.ModelStreamInfer(iter(requests))]


def final(answer: pb.ModelStreamInferResponse) -> bool:
    return answer.infer_response.parameters["triton_final_response"].bool_param


async def test_requests_are_answered_in_order(stub: GRPCInferenceServiceAsyncStub, ends: Ends) -> None:
    found = await answers(stub, *(asked(f"r{number}", seed=number) for number in range(40)))
    assert [answer.infer_response.id for answer in found] == [f"r{number}" for number in range(40)]
    assert all(not answer.error_message for answer in found)
    assert len(ends.seen) == 40
    assert "triton_final_response" not in found[0].infer_response.parameters


async def test_rows_that_come_together_go_back_together(stub: GRPCInferenceServiceAsyncStub) -> None:
    request = asked("r")
    request.inputs.add(name="seed", datatype="INT64", shape=[3, 1])
    request.raw_input_contents.append(np.arange(3, dtype="<i8").tobytes())
    found = await answers(stub, request)
    assert [list(answer.infer_response.outputs[0].shape) for answer in found] == [[3, 1, 28, 28]]


async def test_samples_come_as_they_are_finished(stub: GRPCInferenceServiceAsyncStub, backend: FakeBackend) -> None:
    backend.held = asyncio.Event()
    call = stub.ModelStreamInfer(iter([asked("r", n=3, seed=7, final=True)]))
    found: Responses = aiter(call)
    first = await anext(found)
    assert backend.closed == []
    backend.held.set()
    rest = [answer async for answer in found]
    rows = [answer.infer_response.parameters["row"].int64_param for answer in (first, *rest[:-1])]
    assert rows == [2, 1, 0]
    assert [final(answer) for answer in (first, *rest)] == [False, False, False, True]
    assert (rest[-1].infer_response.id, len(rest[-1].infer_response.outputs)) == ("r", 0)


async def test_an_error_ends_its_request_only(stub: GRPCInferenceServiceAsyncStub) -> None:
    found = await answers(stub, asked("a"), asked("b", model="tinny"), asked("c", n=0, final=True), asked("d"))
    assert [answer.infer_response.id for answer in found] == ["a", "b", "c", "d"]
    assert [bool(answer.error_message) for answer in found] == [False, True, True, False]
    assert "tinny" in found[1].error_message
    assert found[2].error_message.startswith("n: 0 is not allowed")
    assert final(found[2])


async def test_bytes_that_are_no_message_are_an_answer_too(channel: grpc.aio.Channel) -> None:
    call = channel.stream_stream(
        "/inference.GRPCInferenceService/ModelStreamInfer",
        request_serializer=bytes,
        response_deserializer=pb.ModelStreamInferResponse.FromString,
    )(iter([b"\xff\xff", asked("b").SerializeToString()]))
    found = [answer async for answer in call]
    assert found[0].error_message == "the request is not a inference.ModelInferRequest message"
    assert found[1].infer_response.id == "b"


async def test_errors_of_the_engine_are_told(stub: GRPCInferenceServiceAsyncStub, backend: FakeBackend) -> None:
    backend.refusal = Overloaded("16 rows are queued", retry_after_s=1.0)
    assert [answer.error_message for answer in await answers(stub, asked("a"))] == ["16 rows are queued"]


async def test_mistakes_of_ours_keep_their_details(
    stub: GRPCInferenceServiceAsyncStub, backend: FakeBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(generation: object) -> object:
        raise ZeroDivisionError("a secret")

    monkeypatch.setattr(backend, "submit", broken)
    found = await answers(stub, asked("a"))
    assert [answer.error_message for answer in found] == ["an error of the server; its log has the details"]


async def test_leaving_the_stream_cancels_what_runs(
    stub: GRPCInferenceServiceAsyncStub, backend: FakeBackend, ends: Ends
) -> None:
    backend.held = asyncio.Event()
    call = stub.ModelStreamInfer(iter([asked("a", n=3), asked("b", n=3)]))
    await anext(aiter(call))
    call.cancel()
    assert [(await ends.next())[3] for _ in range(2)] == ["cancelled", "cancelled"]
    assert backend.running == {}


async def test_a_slow_request_waits_for_no_other(stub: GRPCInferenceServiceAsyncStub, backend: FakeBackend) -> None:
    backend.held = asyncio.Event()
    call = stub.ModelStreamInfer(iter([asked("a"), asked("b")]))
    begun = [await backend.started.get() for _ in range(2)]
    assert len(set(begun)) == 2
    backend.held.set()
    assert [answer.infer_response.id async for answer in call] == ["a", "b"]
