from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from typing import Any

import pytest
from PIL import Image

from brood.dataplane import DataPlane, Limits
from brood.media.encode import Encoded
from brood.protocol.errors import (
    BroodError,
    Cancelled,
    DeadlineExceeded,
    InvalidArgument,
    ModelNotFound,
    ModelUnavailable,
    NotReady,
    Overloaded,
    PayloadTooLarge,
    PermissionDenied,
)
from brood.protocol.events import Accepted, Done, Event, Failed, Preview, Progress, Sample
from brood.protocol.requests import GenerateRequest, OutputChoice
from helpers.backend import STEP_S, FakeBackend, sample_of
from helpers.observer import Ended, FakeObserver


@pytest.fixture
def backend() -> FakeBackend:
    return FakeBackend()


@pytest.fixture
def observer() -> FakeObserver:
    return FakeObserver()


@pytest.fixture
async def plane(backend: FakeBackend, observer: FakeObserver) -> AsyncIterator[DataPlane]:
    plane = DataPlane(backend, Limits(max_n=100), observer)
    yield plane
    plane.close()


def asked(**fields: Any) -> GenerateRequest:
    return GenerateRequest.model_validate({"model": "tiny", "seed": 7, **fields})


async def events_of(plane: DataPlane, request: GenerateRequest, request_id: str = "id") -> list[Event]:
    return [event async for event in plane.generate(request, request_id, "test")]


async def test_events_come_in_order(plane: DataPlane) -> None:
    events = await events_of(plane, asked(n=3))
    assert [type(event) for event in events] == [Accepted, Sample, Sample, Sample, Done]
    assert events[0] == Accepted("id", "tiny", 2, "generate", 7, 3, "exact")


async def test_collect_sorts_by_index(plane: DataPlane, backend: FakeBackend) -> None:
    result = await plane.collect(asked(n=4, index=10), "id")
    assert [sample.index for sample in result.samples] == [10, 11, 12, 13]
    assert result.usage.rows == 4
    order = backend.submitted[0]
    for row, sample in enumerate(result.samples):
        assert sample.outputs["sample"].tobytes() == sample_of(order, row).outputs["sample"].tobytes()


async def test_answer_is_encoded(plane: DataPlane) -> None:
    answer = await plane.answer(asked(n=2), "id", "test")
    for sample in answer.samples:
        picture, label = sample.outputs["sample"], sample.outputs["label"]
        assert isinstance(picture, Encoded)
        assert (picture.format, picture.content[:4], picture.shape) == ("png", b"\x89PNG", (28, 28))
        assert isinstance(label, int)
    assert (answer.timing.queue_ms, answer.timing.run_ms, answer.timing.encode_ms) == (0.25, 1.5, 0.0)


async def test_encoding_in_threads_gives_the_same(plane: DataPlane) -> None:
    many = await plane.answer(asked(n=64), "id", "test")  # long enough to be encoded elsewhere
    alone = await plane.answer(asked(index=63), "id", "test")
    assert many.samples[63] == alone.samples[0]


async def test_one_sample_of_a_stream_can_be_encoded(plane: DataPlane) -> None:
    accepted, sample, *_ = await events_of(plane, asked())
    assert isinstance(accepted, Accepted)
    assert isinstance(sample, Sample)
    encoded = await plane.encode(accepted, sample, OutputChoice(format="npy"))
    assert encoded == (await plane.answer(asked(output={"format": "npy"}), "id", "test")).samples[0]


async def test_progress_and_previews_are_passed_on(plane: DataPlane) -> None:
    events = await events_of(plane, asked(n=2, progress_every=1, preview_every=2))
    last, first = [Progress, Preview, Sample], [Progress, Preview, Progress, Sample]
    assert [type(event) for event in events] == [Accepted, *last, *first, Done]
    assert events[4] == Progress(steps=4, of=6, finished=1, n=2, eta_s=2 * STEP_S)
    assert [(event.index, event.step, event.of) for event in events if isinstance(event, Preview)] == [
        (1, 2, 3),
        (0, 2, 3),
    ]


async def test_a_preview_is_encoded_with_what_it_shows(plane: DataPlane) -> None:
    accepted, preview, *_ = await events_of(plane, asked(preview_every=2))
    assert isinstance(accepted, Accepted)
    assert isinstance(preview, Preview)
    encoded = await plane.encode(accepted, preview, OutputChoice())
    assert (encoded.index, encoded.seed, list(encoded.outputs)) == (0, 7, ["sample"])
    picture = encoded.outputs["sample"]
    assert isinstance(picture, Encoded)
    assert Image.open(io.BytesIO(picture.content)).info["step"] == "2"


async def test_whole_answers_refuse_what_comes_meanwhile(plane: DataPlane, backend: FakeBackend) -> None:
    for verb in (plane.collect(asked(preview_every=1), "id"), plane.answer(asked(progress_every=1), "id", "test")):
        with pytest.raises(InvalidArgument, match="needs an answer that streams"):
            await verb
    assert backend.submitted == []


async def test_every_verb_takes_a_tenant(plane: DataPlane, backend: FakeBackend) -> None:
    await plane.collect(asked(), "id", tenant="one")
    await plane.answer(asked(), "id", "test", tenant="two")
    async for _ in plane.generate(asked(), "id", tenant="three"):
        pass
    await plane.collect(asked(), "id")
    assert [order.tenant for order in backend.submitted] == ["one", "two", "three", ""]


async def test_tensors_are_raw_where_images_are_png(plane: DataPlane) -> None:
    request = asked(operation="complete", params={"steps": 1}, inputs={"known": {"data": [[0, 1, 2], [3, 4, 5]]}})
    content = (await plane.answer(request, "id", "test")).samples[0].outputs["sample"]
    assert isinstance(content, Encoded)
    assert (content.format, content.dtype, content.shape, len(content.content)) == ("raw", "uint8", (2, 3), 6)


async def test_bad_requests_never_reach_the_backend(plane: DataPlane, backend: FakeBackend) -> None:
    with pytest.raises(InvalidArgument):
        await events_of(plane, asked(n=101))
    assert backend.submitted == []


async def test_the_deadline_counts_from_arrival(plane: DataPlane, backend: FakeBackend) -> None:
    await plane.collect(asked(deadline_ms=250.0), "id")
    assert backend.submitted[0].deadline == backend.clock + 0.25


async def test_a_failed_generation_raises_in_collect_and_tells_in_generate(
    plane: DataPlane, backend: FakeBackend
) -> None:
    backend.failure = DeadlineExceeded("too late")
    assert (await events_of(plane, asked()))[-1] == Failed(backend.failure)
    with pytest.raises(DeadlineExceeded, match="too late"):
        await plane.collect(asked(), "id")


async def test_a_full_queue_is_told_before_any_event(plane: DataPlane, backend: FakeBackend) -> None:
    backend.refusal = Overloaded("the queue is full", retry_after_s=2.0)
    with pytest.raises(Overloaded):
        await events_of(plane, asked())


async def test_closing_the_iterator_cancels(plane: DataPlane, backend: FakeBackend, observer: FakeObserver) -> None:
    events = plane.generate(asked(n=3), "id", "test")
    await anext(events)
    await anext(events)
    await events.aclose()
    assert backend.closed == ["id"]
    assert (observer.ended[0].code, observer.ended[0].rows) == ("cancelled", 1)


async def test_cancelling_the_task_cancels(plane: DataPlane, backend: FakeBackend, observer: FakeObserver) -> None:
    backend.held = asyncio.Event()
    task = asyncio.ensure_future(plane.collect(asked(), "id"))
    await backend.started.get()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert backend.closed == ["id"]
    assert observer.ended[0].code == "cancelled"


async def test_cancel_by_id(plane: DataPlane, backend: FakeBackend) -> None:
    backend.held = asyncio.Event()
    task = asyncio.ensure_future(events_of(plane, asked(), "mine"))
    await backend.started.get()
    assert not plane.cancel("other")
    assert plane.cancel("mine")
    last = (await task)[-1]
    assert isinstance(last, Failed)
    assert last.error.message == "generation mine was cancelled"


async def test_only_its_own_tenant_cancels_a_generation(plane: DataPlane, backend: FakeBackend) -> None:
    backend.held = asyncio.Event()
    task = asyncio.ensure_future(plane.answer(asked(), "mine", "test", tenant="one"))
    await backend.started.get()
    assert not plane.cancel("mine", tenant="two")
    assert not plane.cancel("mine")
    assert plane.cancel("mine", tenant="one")
    with pytest.raises(Cancelled):
        await task
    assert not plane.cancel("mine", tenant="one")


async def test_who_was_told_of_a_failure_may_stop_listening(
    plane: DataPlane, backend: FakeBackend, observer: FakeObserver
) -> None:
    backend.failure = DeadlineExceeded("too late")
    events = plane.generate(asked(), "id", "test")
    assert [type(await anext(events)) for _ in range(2)] == [Accepted, Failed]
    await events.aclose()
    assert observer.ended[0].code == "deadline_exceeded"


async def test_an_id_in_use_is_not_used_twice(plane: DataPlane, backend: FakeBackend) -> None:
    backend.held = asyncio.Event()
    both = [asyncio.ensure_future(plane.collect(asked(), "same")) for _ in range(2)]
    for _ in both:
        await backend.started.get()
    backend.held.set()
    ids = [(await task).accepted.request_id for task in both]
    assert ids[0] == "same"
    assert ids[1] != "same"
    assert (await plane.collect(asked(), "same")).accepted.request_id == "same"


async def test_requests_are_counted_once_with_names_that_exist(
    plane: DataPlane, backend: FakeBackend, observer: FakeObserver
) -> None:
    await plane.collect(asked(n=3), "id", "grpc")
    await plane.answer(asked(), "id", "http")
    for bad in (asked(model="made up"), asked(operation="made up"), asked(model="broken"), asked(n=10**9)):
        with pytest.raises(BroodError):
            await plane.collect(bad, "id", "http")
    assert observer.ended == [
        Ended("tiny", "generate", "grpc", "ok", 0.0, 3),
        Ended("tiny", "generate", "http", "ok", 0.0, 1),
        Ended("unknown", "unknown", "http", "model_not_found", 0.0, 0),
        Ended("tiny", "unknown", "http", "invalid_argument", 0.0, 0),
        Ended("broken", "unknown", "http", "model_unavailable", 0.0, 0),
        Ended("tiny", "generate", "http", "invalid_argument", 0.0, 0),
    ]


async def test_an_unforeseen_error_counts_as_internal(
    plane: DataPlane, backend: FakeBackend, observer: FakeObserver, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(backend, "submit", broken)
    with pytest.raises(ZeroDivisionError):
        await plane.collect(asked(), "id")
    assert observer.ended[0].code == "internal"


def test_what_a_transport_refused_is_counted(plane: DataPlane, observer: FakeObserver) -> None:
    plane.refused(PayloadTooLarge("too large"), "http")
    assert observer.ended == [Ended("unknown", "unknown", "http", "payload_too_large", 0.0, 0)]


async def test_stopping_refuses_new_requests_and_lets_others_end(plane: DataPlane, backend: FakeBackend) -> None:
    backend.statuses = [status for status in backend.statuses if status.state != "loading"]
    backend.held = asyncio.Event()
    assert plane.ready().ready
    running = asyncio.ensure_future(plane.collect(asked(), "id"))
    await backend.started.get()
    plane.stop_accepting()
    assert (plane.ready().ready, plane.ready().reason) == (False, "stopping")
    with pytest.raises(NotReady):
        await plane.collect(asked(), "other")
    backend.held.set()
    assert len((await running).samples) == 1


def test_models_and_operations_can_be_looked_up(plane: DataPlane, backend: FakeBackend) -> None:
    assert plane.models() is backend.statuses
    assert plane.model("tiny").version == 2
    assert plane.model("broken").state == "failed"
    assert list(plane.operation(asked(operation="score")).outputs) == ["log_likelihood"]
    with pytest.raises(ModelUnavailable):
        plane.operation(asked(model="broken"))


def test_readiness_knows_what_is_required(backend: FakeBackend, observer: FakeObserver) -> None:
    plane = DataPlane(backend, Limits(), observer, required=["broken"])
    assert "slow 1" in plane.ready().reason
    backend.statuses = [status for status in backend.statuses if status.name != "slow"]
    assert "required but not ready: broken" in plane.ready().reason
    plane.close()


def test_loading_more_does_not_take_readiness_away(plane: DataPlane, backend: FakeBackend) -> None:
    whole = backend.statuses
    assert not plane.ready().ready
    backend.statuses = [status for status in whole if status.state != "loading"]
    assert plane.ready().ready
    backend.statuses, backend.wrong = whole, ["store: away"]
    assert (plane.ready().ready, plane.ready().problems) == (True, ("store: away",))


async def test_what_runs_is_answered_though_its_model_is_gone(backend: FakeBackend, observer: FakeObserver) -> None:
    plane = DataPlane(backend, Limits(), observer, admin=True)
    backend.held = asyncio.Event()
    running = asyncio.ensure_future(plane.answer(asked(n=2), "id", "test"))
    await backend.started.get()
    await plane.unload("tiny")
    with pytest.raises(ModelUnavailable, match="not loaded"):
        await plane.collect(asked(), "other")
    backend.held.set()
    assert len((await running).samples) == 2
    plane.close()


async def test_models_are_changed_version_by_version(backend: FakeBackend, observer: FakeObserver) -> None:
    plane = DataPlane(backend, Limits(), observer, admin=True)
    await plane.unload("tiny", 2)
    assert plane.model("tiny").version == 1
    await plane.load("tiny", 2)
    assert plane.model("tiny").version == 2
    await plane.reload("tiny")
    assert backend.reloaded == [("tiny", None)]
    for change in (plane.load, plane.unload, plane.reload):
        with pytest.raises(ModelNotFound, match="no version 9"):
            await change("tiny", 9)
    plane.close()


async def test_models_are_changed_only_where_that_is_allowed(plane: DataPlane) -> None:
    for verb, change in (("load", plane.load), ("unload", plane.unload), ("reload", plane.reload)):
        with pytest.raises(PermissionDenied, match=f"to {verb} models is not allowed here"):
            await change("tiny")
