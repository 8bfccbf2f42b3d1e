"""brood.v1.Generator over the fake backend: answers, streams, deadlines, cancellation, errors."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any, NoReturn, cast

import grpc
import numpy as np
import pytest
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

from brood.dataplane import DataPlane, Limits
from brood.protocol.errors import DeadlineExceeded, Overloaded, RowFailed
from brood.protocol.requests import Generation
from brood.protocol.wire import generator_pb2 as pb
from brood.protocol.wire.convert import plain_of, request_message
from brood.protocol.wire.generator_pb2_grpc import GeneratorStub
from helpers.backend import ALTERNATIVES, FakeBackend, sample_of
from helpers.ends import Ends, Gate
from helpers.grpc_server import grpc_server

if TYPE_CHECKING:
    from brood.protocol.wire.generator_pb2_grpc import GeneratorAsyncStub


@pytest.fixture
def stub(channel: grpc.aio.Channel) -> GeneratorAsyncStub:
    return GeneratorStub(channel)


def tiny(**fields: object) -> pb.GenerateRequest:
    return request_message({"model": "tiny", "seed": 7, "output": {"format": "raw"}, **fields})


def trailers(error: grpc.aio.AioRpcError) -> dict[str, Any]:
    return dict(cast("Any", error.trailing_metadata()))


def raw(channel: grpc.aio.Channel, method: str) -> grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]:
    """A method that takes and gives bytes."""
    return channel.unary_unary(f"/brood.v1.Generator/{method}", request_serializer=bytes, response_deserializer=bytes)


async def error_of(call: Awaitable[object]) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value


async def test_an_answer_has_everything(stub: GeneratorAsyncStub, backend: FakeBackend, ends: Ends) -> None:
    answer = await stub.Generate(tiny(n=3, index=2), metadata=(("x-request-id", "mine-1"),))
    head = (answer.id, answer.model, answer.version, answer.operation, answer.seed, answer.determinism)
    assert head == ("mine-1", "tiny", 2, "generate", 7, "exact")
    assert [(sample.index, sample.seed) for sample in answer.samples] == [(2, 7), (3, 7), (4, 7)]
    assert (answer.timing.queue_ms, answer.timing.run_ms, answer.usage.rows, answer.usage.steps) == (0.25, 1.5, 3, 9)
    assert ends.seen == [("tiny", "generate", "grpc", "ok", 3)]
    generation = backend.submitted[0]
    for row, sample in enumerate(answer.samples):
        tensor, expected = sample.outputs["sample"].tensor, sample_of(generation, row).outputs
        assert (tensor.format, tensor.dtype, list(tensor.shape)) == ("raw", "float32", [1, 28, 28])
        np.testing.assert_array_equal(np.frombuffer(tensor.content, "<f4").reshape(1, 28, 28), expected["sample"])
        assert plain_of(sample.outputs["label"].scalar) == expected["label"]


async def test_defaults(stub: GeneratorAsyncStub, backend: FakeBackend) -> None:
    answer = await stub.Generate(pb.GenerateRequest(model="tiny"))
    generation = backend.submitted[0]
    assert (generation.n, generation.index, generation.operation, generation.deadline) == (1, 0, "generate", None)
    assert answer.seed == generation.seed
    assert re.fullmatch("[0-9a-f]{32}", answer.id)
    assert answer.samples[0].outputs["sample"].tensor.format == "png"
    assert answer.samples[0].outputs["sample"].tensor.content.startswith(b"\x89PNG")


async def test_a_stream_tells_of_each_sample(stub: GeneratorAsyncStub, ends: Ends) -> None:
    whole = await stub.Generate(tiny(n=4))
    events = [event async for event in stub.GenerateStream(tiny(n=4), metadata=(("x-request-id", "mine-2"),))]
    assert [event.WhichOneof("event") for event in events] == ["accepted", *["sample"] * 4, "done"]
    accepted = events[0].accepted
    head = (accepted.id, accepted.model, accepted.version, accepted.operation, accepted.seed, accepted.n)
    assert head == ("mine-2", "tiny", 2, "generate", 7, 4)
    assert accepted.determinism == "exact"
    streamed = sorted((event.sample for event in events[1:-1]), key=lambda sample: sample.index)
    assert streamed == list(whole.samples)
    assert events[-1].done.usage == whole.usage
    assert events[-1].done.timing.encode_ms > 0
    assert ends.seen[-1] == ("tiny", "generate", "grpc", "ok", 4)


async def test_samples_arrive_before_the_generation_ends(stub: GeneratorAsyncStub, backend: FakeBackend) -> None:
    backend.held = asyncio.Event()
    call = stub.GenerateStream(tiny(n=3))
    events = aiter(call)
    assert (await anext(events)).HasField("accepted")
    assert (await anext(events)).HasField("sample")
    assert backend.closed == []
    backend.held.set()
    assert [event.WhichOneof("event") async for event in events] == ["sample", "sample", "done"]


async def test_a_stream_tells_progress(stub: GeneratorAsyncStub) -> None:
    events = [event async for event in stub.GenerateStream(tiny(n=2, progress_every=2))]
    assert [event.WhichOneof("event") for event in events] == ["accepted", "sample", "progress", "sample", "done"]
    told = events[2].progress
    assert (told.steps, told.of, told.finished, told.n) == (4, 6, 1, 2)
    assert told.eta_s == pytest.approx(2e-4)


async def test_a_stream_shows_previews(stub: GeneratorAsyncStub, backend: FakeBackend) -> None:
    events = [event async for event in stub.GenerateStream(tiny(index=5, preview_every=1))]
    kinds = ["accepted", "preview", "preview", "sample", "done"]
    assert [event.WhichOneof("event") for event in events] == kinds
    preview = events[2].preview
    assert (preview.index, preview.seed, preview.step, preview.of) == (5, 7, 2, 3)
    assert list(preview.outputs) == ["sample"]
    shown = np.frombuffer(preview.outputs["sample"].tensor.content, "<f4").reshape(1, 28, 28)
    np.testing.assert_array_equal(shown, -sample_of(backend.submitted[0], 0).outputs["sample"])
    assert events[-1].done.timing.encode_ms > 0


async def test_what_is_asked_for_reaches_the_engine(stub: GeneratorAsyncStub, backend: FakeBackend) -> None:
    await stub.Generate(tiny(priority="bulk", determinism="exact"))
    await stub.Generate(tiny())
    assert [(order.priority, order.exact) for order in backend.submitted] == [("bulk", True), ("interactive", False)]


async def test_cancelling_a_call_cancels_the_generation(
    stub: GeneratorAsyncStub, backend: FakeBackend, ends: Ends
) -> None:
    backend.held = gate = Gate()
    call = stub.Generate(tiny(n=9), metadata=(("x-request-id", "mine"),))
    task = asyncio.ensure_future(call)
    await gate.reached.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await ends.next() == ("tiny", "generate", "grpc", "cancelled", 1)
    assert backend.closed == ["mine"]


async def test_cancelling_a_stream_cancels_the_generation(
    stub: GeneratorAsyncStub, backend: FakeBackend, ends: Ends
) -> None:
    backend.held = asyncio.Event()
    call = stub.GenerateStream(tiny(n=9), metadata=(("x-request-id", "mine"),))
    assert (await anext(aiter(call))).HasField("accepted")
    call.cancel()
    assert (await ends.next())[3] == "cancelled"
    assert backend.closed == ["mine"]


async def test_a_client_that_disappears_cancels_its_generation(
    plane: DataPlane, backend: FakeBackend, ends: Ends
) -> None:
    backend.held = asyncio.Event()
    async with grpc_server(plane) as target:
        channel = grpc.aio.insecure_channel(target)
        stub: GeneratorAsyncStub = GeneratorStub(channel)
        call = stub.GenerateStream(tiny(n=9), metadata=(("x-request-id", "mine"),))
        assert (await anext(aiter(call))).HasField("accepted")
        await channel.close(None)
        assert (await ends.next())[3] == "cancelled"
    assert backend.closed == ["mine"]


async def test_cancel_ends_a_generation_of_any_call(stub: GeneratorAsyncStub, backend: FakeBackend, ends: Ends) -> None:
    backend.held = asyncio.Event()
    events = aiter(stub.GenerateStream(tiny(n=9)))
    accepted = (await anext(events)).accepted
    assert (await stub.Cancel(pb.CancelRequest(id=accepted.id))).cancelled
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        [event async for event in events]
    assert caught.value.code() == grpc.StatusCode.CANCELLED
    assert (await ends.next())[3] == "cancelled"
    assert not (await stub.Cancel(pb.CancelRequest(id=accepted.id))).cancelled


async def test_cancel_needs_an_id(stub: GeneratorAsyncStub) -> None:
    error = await error_of(stub.Cancel(pb.CancelRequest()))
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert error.details() == 'id: "" is not allowed; allowed: the id of a generation, which is not empty'
    assert trailers(error)["brood-error-field"] == "id"


@pytest.mark.parametrize("deadline_ms", [None, 5_000.0, 3_600_000.0])
async def test_the_earlier_deadline_counts(
    stub: GeneratorAsyncStub, backend: FakeBackend, deadline_ms: float | None
) -> None:
    await stub.Generate(tiny(deadline_ms=deadline_ms), timeout=60)
    deadline = backend.submitted[0].deadline
    assert deadline is not None
    assert deadline - backend.clock == pytest.approx(min(60, (deadline_ms or 1e9) / 1000), abs=5)


async def test_a_call_deadline_without_end_is_none(stub: GeneratorAsyncStub, backend: FakeBackend) -> None:
    await stub.Generate(tiny(), timeout=30 * 365 * 86400)
    await stub.Generate(tiny(deadline_ms=1000.0), timeout=30 * 365 * 86400)
    assert backend.submitted[1].deadline == backend.clock + 1


async def test_a_passed_deadline_ends_the_generation(
    stub: GeneratorAsyncStub, backend: FakeBackend, ends: Ends
) -> None:
    backend.held = asyncio.Event()
    error = await error_of(stub.Generate(tiny(), timeout=0.1, metadata=(("x-request-id", "mine"),)))
    assert error.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    assert (await ends.next())[3] == "cancelled"
    assert backend.closed == ["mine"]


async def test_the_engine_says_that_the_deadline_passed(stub: GeneratorAsyncStub, backend: FakeBackend) -> None:
    backend.failure = DeadlineExceeded("the deadline passed after 0 of 1 samples")
    error = await error_of(stub.Generate(tiny(deadline_ms=1.0)))
    assert (error.code(), error.details()) == (grpc.StatusCode.DEADLINE_EXCEEDED, backend.failure.message)
    assert trailers(error)["brood-error-code"] == "deadline_exceeded"


async def test_an_error_carries_code_field_id_and_details(stub: GeneratorAsyncStub, ends: Ends) -> None:
    error = await error_of(stub.Generate(tiny(params={"label": 11}), metadata=(("x-request-id", "mine"),)))
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert error.details() == "params.label: 11 is not allowed; allowed: an integer from -1 to 9"
    words = trailers(error)
    assert (words["x-request-id"], words["brood-error-code"]) == ("mine", "invalid_argument")
    assert words["brood-error-field"] == "params.label"
    status, info = Status.FromString(words["grpc-status-details-bin"]), ErrorInfo()
    assert (status.code, status.message) == (3, error.details())
    assert status.details[0].Unpack(info)
    assert info.reason == "INVALID_ARGUMENT"
    assert ends.seen == [("tiny", "generate", "grpc", "invalid_argument", 0)]


async def test_a_refusal_says_when_to_come_back(stub: GeneratorAsyncStub, backend: FakeBackend) -> None:
    backend.refusal = Overloaded("16384 rows are queued", retry_after_s=2.5)
    error = await error_of(stub.Generate(tiny()))
    assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    status, retry = Status.FromString(trailers(error)["grpc-status-details-bin"]), RetryInfo()
    assert status.details[-1].Unpack(retry)
    assert retry.retry_delay.ToMilliseconds() == 2500


async def test_a_stream_ends_with_the_error_after_what_was_finished(
    stub: GeneratorAsyncStub, backend: FakeBackend
) -> None:
    backend.held, backend.failure = asyncio.Event(), None
    events = aiter(stub.GenerateStream(tiny(n=3)))
    seen = [(await anext(events)).WhichOneof("event") for _ in range(2)]
    backend.failure = RowFailed("sample 1 is not finite", index=1)
    backend.held.set()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await anext(events)
    assert seen == ["accepted", "sample"]
    assert (caught.value.code(), caught.value.details()) == (grpc.StatusCode.OUT_OF_RANGE, "sample 1 is not finite")


async def test_a_bad_request_for_a_stream_fails_before_any_event(stub: GeneratorAsyncStub) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await anext(aiter(stub.GenerateStream(tiny(n=0))))
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert trailers(caught.value)["brood-error-field"] == "n"


async def test_a_mistake_of_ours_keeps_its_details_in_the_log(
    stub: GeneratorAsyncStub, backend: FakeBackend, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(generation: Generation) -> NoReturn:
        raise ZeroDivisionError("a secret")

    monkeypatch.setattr(backend, "submit", broken)
    with caplog.at_level(logging.ERROR, "brood.frontends.grpc"):
        error = await error_of(stub.Generate(tiny(), metadata=(("x-request-id", "mine"),)))
    assert error.code() == grpc.StatusCode.INTERNAL
    assert error.details() == "an error of the server; its log has the details"
    assert trailers(error)["x-request-id"] == "mine"
    assert [record.getMessage() for record in caplog.records] == ["request mine failed"]
    assert caplog.records[0].exc_info is not None


async def test_bytes_that_are_no_message(channel: grpc.aio.Channel, ends: Ends) -> None:
    error = await error_of(raw(channel, "Generate")(b"\xff\xff"))
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert error.details() == "the request is not a brood.v1.GenerateRequest message"
    assert ends.seen == [("unknown", "unknown", "grpc", "invalid_argument", 0)]


async def test_a_method_that_does_not_exist(channel: grpc.aio.Channel) -> None:
    error = await error_of(raw(channel, "Dream")(b""))
    assert error.code() == grpc.StatusCode.UNIMPLEMENTED


async def test_a_message_too_large_is_refused_while_others_proceed(
    channel: grpc.aio.Channel, stub: GeneratorAsyncStub, backend: FakeBackend
) -> None:
    large = raw(channel, "Generate")(bytes(2**20 + 1))
    small = stub.Generate(tiny())
    assert (await error_of(large)).code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert len((await small).samples) == 1
    assert len(backend.submitted) == 1


async def test_an_answer_may_be_larger_than_a_request(stub: GeneratorAsyncStub, plane: DataPlane) -> None:
    answer = await stub.Generate(tiny(n=400))
    assert answer.ByteSize() > plane.limits.max_body_bytes


async def test_an_answer_too_large_is_refused_in_words(plane: DataPlane) -> None:
    async with grpc_server(plane, max_message_bytes=2**20) as target, grpc.aio.insecure_channel(target) as channel:
        stub: GeneratorAsyncStub = GeneratorStub(channel)
        error = await error_of(stub.Generate(tiny(n=400)))
        events = [event async for event in stub.GenerateStream(tiny(n=400))]
    assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert error.details() == (
        f"n: 400 samples are {400 * 28 * 28 * 4} bytes, and a message has at most {2**20}; "
        "allowed: fewer samples, or as many by GenerateStream"
    )
    assert len(events) == 402


async def test_a_huge_name_is_refused_within_the_limits_of_headers(stub: GeneratorAsyncStub) -> None:
    error = await error_of(stub.Generate(tiny(params={"é" * 200_000: 1})))
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert trailers(error)["brood-error-field"].startswith("params.\\xe9")


async def test_models_are_listed(stub: GeneratorAsyncStub) -> None:
    models = (await stub.ListModels(pb.ListModelsRequest())).models
    assert [(model.name, model.version, model.state) for model in models] == [
        ("broken", 1, "failed"),
        ("slow", 1, "loading"),
        ("tiny", 1, "ready"),
        ("tiny", 2, "ready"),
    ]
    assert models[0].reason == "graph.onnx: its sha256 is not the one in the manifest"
    assert not models[0].operations


async def test_a_model_tells_what_it_can_do(stub: GeneratorAsyncStub) -> None:
    model = await stub.GetModel(pb.GetModelRequest(model="tiny"))
    assert (model.version, model.family, model.modality, model.license) == (2, "function", "image", "Apache-2.0")
    operations = model.operations
    assert {name: operations[name].determinism for name in operations} == {
        "generate": "exact",
        "reconstruct": "tolerance",
        "score": "none",
        "complete": "exact",
        "vary": "tolerance",
    }
    assert [name for name in sorted(operations) if operations[name].previews] == ["generate"]
    assert dict(operations["vary"].params["sampler"].alternatives) == ALTERNATIVES
    assert (model.numerics_id, model.device, model.state_bytes) == ("5eed", "fake", 4096)
    assert (model.provider, model.precision) == ("FakeProvider", "float16")
    assert {graph: dict(nodes.by_operator) for graph, nodes in model.fallback.items()} == {
        "main": {"Shape": 2, "Gather": 1}
    }
    assert {name: list(model.certificate[name].rows) for name in model.certificate} == {"main": [1, 8]}
    label, style = operations["generate"].params["label"], operations["generate"].params["style"]
    assert (label.type, plain_of(label.default), label.minimum, label.maximum) == ("int", -1, -1.0, 9.0)
    assert [plain_of(choice) for choice in style.choices] == ["thin", "bold"]
    assert not style.HasField("minimum")
    assert not operations["complete"].params["steps"].HasField("default")
    image = operations["reconstruct"].inputs["image"]
    assert (image.kind, image.dtype, list(image.shape), image.minimum) == ("image", "float32", [1, 28, 28], -1.0)
    assert operations["score"].outputs["log_likelihood"].kind == "scalar"


@pytest.mark.parametrize(
    ("request_", "field"),
    [(pb.GetModelRequest(model="tinny"), "model"), (pb.GetModelRequest(model="tiny", version=9), "version")],
)
async def test_an_unknown_model_is_not_found(
    stub: GeneratorAsyncStub, request_: pb.GetModelRequest, field: str
) -> None:
    error = await error_of(stub.GetModel(request_))
    assert error.code() == grpc.StatusCode.NOT_FOUND
    assert trailers(error)["brood-error-field"] == field


async def test_models_are_changed_where_that_is_allowed(backend: FakeBackend, ends: Ends) -> None:
    plane = DataPlane(backend, Limits(), ends, admin=True)
    async with grpc_server(plane) as target, grpc.aio.insecure_channel(target) as channel:
        admin: GeneratorAsyncStub = GeneratorStub(channel)
        models = (await admin.UnloadModel(pb.ChangeModelRequest(model="tiny", version=2))).models
        assert [(model.version, model.state) for model in models] == [(1, "ready"), (2, "unloaded")]
        models = (await admin.LoadModel(pb.ChangeModelRequest(model="tiny"))).models
        assert {model.state for model in models} == {"ready"}
        await admin.ReloadModel(pb.ChangeModelRequest(model="tiny"))
        assert backend.reloaded == [("tiny", None)]
        error = await error_of(admin.LoadModel(pb.ChangeModelRequest(model="tiny", version=9)))
        assert error.code() == grpc.StatusCode.NOT_FOUND
    plane.close()


async def test_nobody_changes_models_unless_that_is_allowed(stub: GeneratorAsyncStub) -> None:
    for call in (stub.LoadModel, stub.UnloadModel, stub.ReloadModel):
        error = await error_of(call(pb.ChangeModelRequest(model="tiny")))
        assert error.code() == grpc.StatusCode.PERMISSION_DENIED
