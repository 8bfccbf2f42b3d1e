from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
from pydantic import BaseModel

from brood.dataplane import DataPlane, Limits
from brood.frontends.http.app import HttpOptions, build_app
from brood.frontends.http.errors import error_words
from brood.frontends.http.events import EventAnswer, EventWords
from brood.frontends.http.schema import (
    AcceptedView,
    DoneView,
    ErrorView,
    PreviewView,
    ProgressView,
    SampleView,
)
from brood.host.host import Host, HostOptions
from brood.protocol.errors import Overloaded, RowFailed
from brood.protocol.events import Sample
from brood.protocol.requests import GenerateRequest, Generation, OutputChoice
from helpers.backend import sample_of
from helpers.bundles import steps_bundle
from helpers.caller import PATIENCE_S, Caller
from helpers.http import Service, error_of
from helpers.observer import Ended

TINY = {"model": "tiny", "seed": 7, "stream": True}
VIEWS: dict[str, type[BaseModel]] = {
    "accepted": AcceptedView,
    "progress": ProgressView,
    "preview": PreviewView,
    "sample": SampleView,
    "done": DoneView,
    "failed": ErrorView,
}


def call(service: Service, **rest: object) -> Caller:
    return Caller(service.app, "/v1/generations", TINY | rest, host="localhost")


def words(service: Service) -> EventWords:
    return EventWords(service.plane, OutputChoice(), "id")


async def test_events_come_in_order_with_the_promised_words(service: Service) -> None:
    caller = call(service, n=2, progress_every=1, preview_every=2)
    events = await caller.events()
    assert caller.status == 200
    assert caller.headers["content-type"] == "text/event-stream"
    assert (caller.headers["cache-control"], caller.headers["x-accel-buffering"]) == ("no-store", "no")
    row = ["progress", "preview", "sample"]
    names = [name for name, _, _ in events]
    assert names == ["accepted", *row, *row[:2], "progress", "sample", "done"]
    assert [number for _, number, _ in events] == list(range(len(events)))
    for name, _, data in events:
        VIEWS[name].model_validate(data)
    assert events[0][2] == {
        "id": caller.headers["x-request-id"],
        "model": "tiny",
        "version": 2,
        "operation": "generate",
        "seed": 7,
        "determinism": "exact",
        "n": 2,
    }
    assert list(events[2][2]) == ["index", "seed", "step", "of", "outputs"]


async def test_a_stream_holds_what_the_whole_answer_does(service: Service) -> None:
    whole = (await service.generate({"model": "tiny", "seed": 7, "n": 3})).json()
    events = await call(service, n=3).events()
    samples = sorted((data for name, _, data in events if name == "sample"), key=lambda data: data["index"])
    assert samples == whole["samples"]
    assert events[-1][2]["usage"] == whole["usage"]
    assert set(events[-1][2]) == {"timing", "usage"}


async def test_samples_come_as_they_are_finished(service: Service) -> None:
    service.backend.held = asyncio.Event()
    caller = call(service)
    event = await caller.event()
    assert event is not None
    assert event[0] == "accepted"
    service.backend.held.set()
    assert [name for name, _, _ in await caller.events()] == ["sample", "done"]


@pytest.mark.parametrize("accept", ["text/event-stream", "*/*", "application/json", "text/event-stream, */*;q=0.1"])
async def test_forms_that_allow_a_stream(service: Service, accept: str) -> None:
    response = await service.generate(TINY, accept=accept)
    assert response.headers["content-type"] == "text/event-stream"


@pytest.mark.parametrize(
    ("stream", "accept"), [(True, "image/png"), (True, "application/zip"), (False, "text/event-stream")]
)
async def test_forms_that_do_not(service: Service, stream: bool, accept: str) -> None:
    response = await service.generate(TINY | {"stream": stream}, accept=accept)
    assert (response.status_code, error_of(response)["field"]) == (406, "Accept")


@pytest.mark.parametrize(("words", "field"), [({"n": 0}, "n"), ({"model": "nope"}, "model"), ({"stream": 1}, "stream")])
async def test_what_is_wrong_with_a_request_is_told_with_a_status(
    service: Service, words: dict[str, object], field: str
) -> None:
    response = await service.generate(TINY | words)
    assert response.status_code in (400, 404)
    assert error_of(response)["field"] == field
    assert service.backend.submitted == []


async def test_a_full_queue_is_told_with_a_status(service: Service) -> None:
    service.backend.refusal = Overloaded("the queue is full", retry_after_s=1.5)
    response = await service.generate(TINY)
    assert (response.status_code, response.headers["retry-after"]) == (429, "2")


async def test_a_stream_cannot_have_an_idempotency_key(service: Service) -> None:
    response = await service.generate(TINY, **{"idempotency-key": "k"})
    assert (response.status_code, error_of(response)["field"]) == (400, "Idempotency-Key")


async def test_a_failure_is_the_last_event(service: Service) -> None:
    service.backend.failure = RowFailed("sample 3 is not finite", index=3)
    caller = call(service)
    events = await caller.events()
    assert [name for name, _, _ in events] == ["accepted", "failed"]
    assert events[-1][2] == error_words(service.backend.failure, caller.headers["x-request-id"])
    assert service.observer.ended == [Ended("tiny", "generate", "http", "row_failed", 0.0, 0)]


async def test_an_unforeseen_failure_keeps_its_details_in_the_log(
    service: Service, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(generation: Generation, row: int) -> Sample:
        raise ZeroDivisionError("the secret")

    monkeypatch.setattr("helpers.backend.sample_of", broken)
    events = await call(service).events()
    assert events[-1][0] == "failed"
    assert events[-1][2]["error"]["code"] == "internal"
    assert "secret" not in str(events)
    assert "the secret" in caplog.text


async def test_infinite_scalars_are_null(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    def infinite(generation: Generation, row: int) -> Sample:
        made = sample_of(generation, row)
        return Sample(made.index, made.seed, {**made.outputs, "label": np.array(math.nan)})

    monkeypatch.setattr("helpers.backend.sample_of", infinite)
    assert (await call(service).events())[1][2]["outputs"]["label"] is None


async def test_comments_keep_a_silent_connection_awake(service: Service) -> None:
    service.backend.held = asyncio.Event()
    events = service.plane.generate(GenerateRequest(model="tiny", seed=7), "id", "http")
    answer = EventAnswer(service.plane, await anext(events), events, words(service), ping_every_s=0.001)
    caller = Caller(answer, "/", None)
    assert (await caller.chunk() or b"").startswith(b"event: accepted\n")
    assert [await caller.chunk() for _ in range(3)] == [b": ping\n\n"] * 3
    service.backend.held.set()
    assert [name for name, _, _ in await caller.events()] == ["sample", "done"]


async def test_leaving_ends_the_generation(service: Service) -> None:
    service.backend.held = asyncio.Event()
    caller = call(service)
    await caller.event()
    caller.leave()
    await caller.served
    assert service.backend.closed == [caller.headers["x-request-id"]]
    assert service.observer.ended[0].code == "cancelled"


async def test_cancelling_by_id_is_told_in_the_stream(service: Service) -> None:
    service.backend.held = asyncio.Event()
    caller = call(service)
    event = await caller.event()
    assert event is not None
    response = await service.client.delete(f"/v1/generations/{event[2]['id']}")
    assert response.status_code == 204
    assert [(name, data["error"]["code"]) for name, _, data in await caller.events()] == [("failed", "cancelled")]


async def test_a_server_that_stops_says_so_in_the_stream(service: Service) -> None:
    service.backend.held = asyncio.Event()
    caller = call(service)
    await caller.event()
    caller.served.cancel()
    assert [(name, data["error"]["code"]) for name, _, data in await caller.events()] == [("failed", "not_ready")]
    await caller.served
    assert len(service.backend.closed) == 1


class Steps:
    """Counts the steps that an engine makes.

    Attributes:
        made: so many.
        pause_at: once so many are made, the engine stands still between two steps until `go_on` is set.
        stands: set while it does.
    """

    def __init__(self) -> None:
        self.made = 0
        self.pause_at = math.inf
        self.stands, self.go_on = threading.Event(), threading.Event()

    def finished(self, model: str, operation: str, protocol: str, code: str, seconds: float, rows: int) -> None: ...

    def rejected(self, model: str, operation: str, protocol: str, reason: str) -> None: ...

    def timed(self, model: str, operation: str, part: str, seconds: float) -> None: ...

    def stepped(self, model: str, graph: str, rows: int, bucket: int, calls: int, seconds: float, error: float) -> None:
        self.made += calls
        if self.made >= self.pause_at:
            self.stands.set()
            self.go_on.wait(PATIENCE_S)

    def queued(self, rows: int, backlog_s: float) -> None: ...

    def wasted(self, seconds: float) -> None: ...


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[tuple[DataPlane, Steps]]:
    steps_bundle(tmp_path)
    steps = Steps()
    host = Host(HostOptions(models=tmp_path), steps)
    await host.start()
    plane = DataPlane(host, Limits(), steps)
    yield plane, steps
    await host.stop()
    plane.close()


async def test_leaving_stops_the_engine_within_a_step(engine: tuple[DataPlane, Steps]) -> None:
    plane, steps = engine
    app = build_app(plane, HttpOptions(None))
    words = {"model": "steps", "seed": 7, "params": {"steps": 10_000}, "progress_every": 1, "stream": True}
    steps.pause_at = 20
    caller = Caller(app, "/v1/generations", words)
    for _ in range(5):
        assert await caller.event() is not None
    assert await asyncio.to_thread(steps.stands.wait, PATIENCE_S)
    made = steps.made
    caller.leave()
    await caller.served
    assert not plane.cancel(caller.headers["x-request-id"])
    steps.go_on.set()
    others = Caller(app, "/v1/generations", {"model": "steps", "params": {"steps": 3}})
    assert await others.chunk()
    await others.served
    assert 20 <= made < 9_000
    assert steps.made <= made + 1 + 4
