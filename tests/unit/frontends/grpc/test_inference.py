"""inference.GRPCInferenceService over the fake backend: documents, calls, errors, what is off or not offered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from typing import TYPE_CHECKING, Any, cast

import grpc
import numpy as np
import pytest

from brood.dataplane import DataPlane, Limits
from brood.protocol.errors import Overloaded
from brood.protocol.wire import inference_pb2 as pb
from brood.protocol.wire.inference_pb2_grpc import GRPCInferenceServiceStub
from helpers.backend import FakeBackend, sample_of
from helpers.ends import Ends, Gate
from helpers.grpc_server import grpc_server

if TYPE_CHECKING:
    from brood.protocol.wire.inference_pb2_grpc import GRPCInferenceServiceAsyncStub


@pytest.fixture
def stub(channel: grpc.aio.Channel) -> GRPCInferenceServiceAsyncStub:
    return GRPCInferenceServiceStub(channel)


@pytest.fixture
async def admin(backend: FakeBackend, ends: Ends) -> AsyncIterator[GRPCInferenceServiceAsyncStub]:
    """A server that lets models be loaded."""
    plane = DataPlane(backend, Limits(), ends, admin=True)
    async with grpc_server(plane) as target, grpc.aio.insecure_channel(target) as channel:
        yield GRPCInferenceServiceStub(channel)
    plane.close()


def parameter(value: bool | int | float | str) -> pb.InferParameter:
    kinds = {bool: "bool_param", int: "int64_param", float: "double_param", str: "string_param"}
    return pb.InferParameter(**cast("Any", {kinds[type(value)]: value}))


def asked(*inputs: tuple[str, str, np.ndarray], **parameters: bool | int | float | str) -> pb.ModelInferRequest:
    return pb.ModelInferRequest(
        model_name="tiny",
        id="mine",
        parameters={name: parameter(value) for name, value in parameters.items()},
        inputs=[
            pb.ModelInferRequest.InferInputTensor(name=name, datatype=datatype, shape=array.shape)
            for name, datatype, array in inputs
        ],
        raw_input_contents=[array.tobytes() for _, _, array in inputs],
    )


def output(response: pb.ModelInferResponse, name: str, dtype: str) -> np.ndarray:
    """One output, as clients read it: by its place among the outputs."""
    place = next(number for number, found in enumerate(response.outputs) if found.name == name)
    return np.frombuffer(response.raw_output_contents[place], dtype).reshape(response.outputs[place].shape)


async def error_of(call: Awaitable[object]) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value


async def test_the_server_says_what_it_is(stub: GRPCInferenceServiceAsyncStub, backend: FakeBackend) -> None:
    assert (await stub.ServerLive(pb.ServerLiveRequest())).live
    assert not (await stub.ServerReady(pb.ServerReadyRequest())).ready
    backend.statuses = [status for status in backend.statuses if status.state == "ready"]
    assert (await stub.ServerReady(pb.ServerReadyRequest())).ready
    server = await stub.ServerMetadata(pb.ServerMetadataRequest())
    assert server.name == "brood"
    assert {"binary_tensor_data", "statistics"} <= set(server.extensions)
    assert not any("shared_memory" in name for name in server.extensions)


@pytest.mark.parametrize(
    ("name", "version", "ready"),
    [("tiny", "", True), ("tiny", "1", True), ("tiny", "9", False), ("slow", "", False), ("tinny", "", False)],
)
async def test_models_are_ready_or_not(
    stub: GRPCInferenceServiceAsyncStub, name: str, version: str, ready: bool
) -> None:
    assert (await stub.ModelReady(pb.ModelReadyRequest(name=name, version=version))).ready is ready


async def test_a_model_tells_its_tensors(stub: GRPCInferenceServiceAsyncStub) -> None:
    model = await stub.ModelMetadata(pb.ModelMetadataRequest(name="tiny"))
    assert (model.name, list(model.versions)) == ("tiny", ["1", "2"])
    inputs = {each.name: (each.datatype, list(each.shape)) for each in model.inputs}
    assert inputs["image"] == ("FP32", [-1, 1, 28, 28])
    assert inputs["seed"] == ("INT64", [-1, 1])
    assert {each.name: list(each.shape) for each in model.outputs}["sample"] == [-1, 1, 28, 28]


async def test_a_model_tells_how_it_is_served(stub: GRPCInferenceServiceAsyncStub) -> None:
    config = (await stub.ModelConfig(pb.ModelConfigRequest(name="tiny", version="2"))).config
    assert (config.name, config.max_batch_size) == ("tiny", 4096)
    assert config.WhichOneof("scheduling_choice") == "dynamic_batching"
    assert list(config.dynamic_batching.preferred_batch_size) == [1, 8]
    image = next(each for each in config.input if each.name == "image")
    assert (image.data_type, list(image.dims), image.optional) == (pb.TYPE_FP32, [1, 28, 28], True)


async def test_statistics_count_what_was_done(stub: GRPCInferenceServiceAsyncStub) -> None:
    await stub.ModelInfer(asked(n=3))
    found = (await stub.ModelStatistics(pb.ModelStatisticsRequest(name="tiny", version="2"))).model_stats
    assert [(each.name, each.version, each.inference_count) for each in found] == [("tiny", "2", 3)]
    assert found[0].inference_stats.success.count == 1


async def test_the_index_lists_models(stub: GRPCInferenceServiceAsyncStub) -> None:
    every = (await stub.RepositoryIndex(pb.RepositoryIndexRequest())).models
    assert [(each.name, each.version, each.state) for each in every] == [
        ("broken", "1", "UNAVAILABLE"),
        ("slow", "1", "LOADING"),
        ("tiny", "1", "READY"),
        ("tiny", "2", "READY"),
    ]
    ready = (await stub.RepositoryIndex(pb.RepositoryIndexRequest(ready=True))).models
    assert [each.version for each in ready] == ["1", "2"]


async def test_a_call_with_parameters(stub: GRPCInferenceServiceAsyncStub, backend: FakeBackend, ends: Ends) -> None:
    response = await stub.ModelInfer(asked(n=3, seed=7, temperature=0.5, style="bold", flip=True))
    assert (response.model_name, response.model_version, response.id) == ("tiny", "2", "mine")
    generation = backend.submitted[0]
    assert (generation.n, generation.seed) == (3, 7)
    assert generation.params == {"label": -1, "temperature": 0.5, "flip": True, "style": "bold"}
    expected = np.stack([sample_of(generation, row).outputs["sample"] for row in range(3)])
    np.testing.assert_array_equal(output(response, "sample", "<f4"), expected)
    np.testing.assert_array_equal(output(response, "index", "<i8"), [[0], [1], [2]])
    assert ends.seen == [("tiny", "generate", "oip-grpc", "ok", 3)]


async def test_a_call_with_tensors(stub: GRPCInferenceServiceAsyncStub, backend: FakeBackend) -> None:
    images = np.linspace(-1, 1, 2 * 784, dtype=np.float32).reshape(2, 1, 28, 28)
    request = asked(("image", "FP32", images), operation="reconstruct", seed=5)
    request.outputs.add(name="sample")
    response = await stub.ModelInfer(request)
    np.testing.assert_array_equal(backend.submitted[0].inputs["image"], images)
    assert [each.name for each in response.outputs] == ["sample"]
    assert len(response.raw_output_contents) == 1


async def test_a_call_with_a_list_gives_the_same(stub: GRPCInferenceServiceAsyncStub) -> None:
    images = np.linspace(-1, 1, 784, dtype=np.float32).reshape(1, 1, 28, 28)
    raw = asked(("image", "FP32", images), operation="reconstruct", seed=5)
    listed = pb.ModelInferRequest()
    listed.CopyFrom(raw)
    del listed.raw_input_contents[:]
    listed.inputs[0].contents.fp32_contents.extend(images.ravel().tolist())
    assert await stub.ModelInfer(listed) == await stub.ModelInfer(raw)


async def test_errors_have_their_status_and_details(stub: GRPCInferenceServiceAsyncStub, ends: Ends) -> None:
    error = await error_of(stub.ModelInfer(asked(("sed", "INT64", np.zeros((1, 1), np.int64)))))
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    words: dict[str, Any] = dict(cast("Any", error.trailing_metadata()))
    assert (words["brood-error-code"], words["brood-error-field"]) == ("invalid_argument", "inputs.sed")
    assert ends.seen[-1][2:4] == ("oip-grpc", "invalid_argument")
    unknown = asked()
    unknown.model_name = "tinny"
    assert (await error_of(stub.ModelInfer(unknown))).code() == grpc.StatusCode.NOT_FOUND
    unknown.model_version = "latest"
    assert (await error_of(stub.ModelInfer(unknown))).code() == grpc.StatusCode.INVALID_ARGUMENT


async def test_a_full_queue_is_told(stub: GRPCInferenceServiceAsyncStub, backend: FakeBackend) -> None:
    backend.refusal = Overloaded("full", retry_after_s=1.0)
    assert (await error_of(stub.ModelInfer(asked()))).code() == grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_bytes_that_are_no_message(channel: grpc.aio.Channel, ends: Ends) -> None:
    for name in ("ModelInfer", "ModelMetadata"):
        path = f"/inference.GRPCInferenceService/{name}"
        call = channel.unary_unary(path, request_serializer=bytes, response_deserializer=bytes)
        error = await error_of(call(b"\xff\xff"))
        assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
        assert error.details() == f"the request is not a inference.{name}Request message"
    assert ends.seen == [("unknown", "unknown", "oip-grpc", "invalid_argument", 0)]


async def test_cancelling_a_call_cancels_what_it_asked_for(
    stub: GRPCInferenceServiceAsyncStub, backend: FakeBackend, ends: Ends
) -> None:
    backend.held = gate = Gate()
    call = stub.ModelInfer(asked(n=9))
    task = asyncio.ensure_future(call)
    await gate.reached.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await ends.next())[3] == "cancelled"


@pytest.mark.parametrize("timeout", [-1, 1.5, True, "soon"])
async def test_a_wrong_timeout_is_refused_beside_a_deadline_too(
    stub: GRPCInferenceServiceAsyncStub, timeout: float | str
) -> None:
    with pytest.raises(grpc.aio.AioRpcError, match=r"parameters\.timeout: .* allowed: a whole number from 0 on"):
        await stub.ModelInfer(asked(timeout=timeout), timeout=60)


@pytest.mark.parametrize("timeout", [None, 5_000_000, 3_600_000_000])
async def test_the_earlier_deadline_counts(
    stub: GRPCInferenceServiceAsyncStub, backend: FakeBackend, timeout: int | None
) -> None:
    await stub.ModelInfer(asked(**({} if timeout is None else {"timeout": timeout})), timeout=60)
    deadline = backend.submitted[0].deadline
    assert deadline is not None
    assert deadline - backend.clock == pytest.approx(min(60, (timeout or 1e12) / 1e6), abs=5)


async def test_an_answer_too_large_is_refused_in_words(plane: DataPlane) -> None:
    async with grpc_server(plane, max_message_bytes=2**20) as target, grpc.aio.insecure_channel(target) as channel:
        stub: GRPCInferenceServiceAsyncStub = GRPCInferenceServiceStub(channel)
        error = await error_of(stub.ModelInfer(asked(n=400)))
    assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert str(error.details()).endswith("allowed: fewer samples, or as many by ModelStreamInfer")


@pytest.mark.parametrize(
    "method", ["SystemSharedMemoryStatus", "CudaSharedMemoryRegister", "TraceSetting", "LogSettings"]
)
async def test_what_is_not_offered_says_so(channel: grpc.aio.Channel, method: str) -> None:
    path = f"/inference.GRPCInferenceService/{method}"
    call = channel.unary_unary(path, request_serializer=bytes, response_deserializer=bytes)
    error = await error_of(call(b""))
    assert error.code() == grpc.StatusCode.UNIMPLEMENTED
    assert str(error.details()).startswith(f"{method}: ")
    assert "not" in str(error.details())


async def test_models_are_not_loaded_by_callers(stub: GRPCInferenceServiceAsyncStub) -> None:
    for call in (
        stub.RepositoryModelLoad(pb.RepositoryModelLoadRequest(model_name="tiny")),
        stub.RepositoryModelUnload(pb.RepositoryModelUnloadRequest(model_name="tiny")),
    ):
        assert (await error_of(call)).code() == grpc.StatusCode.PERMISSION_DENIED


@pytest.mark.parametrize("field", ["model_name", "repository_name"])
async def test_models_are_loaded_where_that_is_allowed(admin: GRPCInferenceServiceAsyncStub, field: str) -> None:
    words: dict[str, Any] = {field: "tiny"}
    gone = await admin.RepositoryModelUnload(pb.RepositoryModelUnloadRequest(**words))
    assert (gone.model_name, gone.isUnloaded) == ("tiny", True)
    assert not (await admin.ModelReady(pb.ModelReadyRequest(name="tiny"))).ready
    here = await admin.RepositoryModelLoad(pb.RepositoryModelLoadRequest(**words))
    assert (here.model_name, here.isLoaded) == ("tiny", True)
    assert (await admin.ModelReady(pb.ModelReadyRequest(name="tiny"))).ready


@pytest.mark.parametrize("name", ["config", "file:1/model.onnx"])
async def test_nothing_about_a_model_is_set_from_outside(admin: GRPCInferenceServiceAsyncStub, name: str) -> None:
    request = pb.RepositoryModelLoadRequest(model_name="tiny")
    request.parameters[name].string_param = "{}"
    error = await error_of(admin.RepositoryModelLoad(request))
    assert error.code() == grpc.StatusCode.PERMISSION_DENIED
    assert str(error.details()).startswith(f"parameters.{name}: ")


async def test_one_version_is_changed_and_reloaded(admin: GRPCInferenceServiceAsyncStub, backend: FakeBackend) -> None:
    gone = pb.RepositoryModelUnloadRequest(model_name="tiny")
    gone.parameters["version"].int64_param = 2
    await admin.RepositoryModelUnload(gone)
    assert not (await admin.ModelReady(pb.ModelReadyRequest(name="tiny", version="2"))).ready
    assert (await admin.ModelReady(pb.ModelReadyRequest(name="tiny", version="1"))).ready
    anew = pb.RepositoryModelLoadRequest(model_name="tiny")
    anew.parameters["version"].string_param = "2"
    anew.parameters["reload"].bool_param = True
    await admin.RepositoryModelLoad(anew)
    assert backend.reloaded == [("tiny", 2)]
