from __future__ import annotations

import asyncio
import io
import math
from collections.abc import AsyncIterator
from urllib.parse import quote

import numpy as np
import pytest
from PIL import Image

from brood.dataplane import Limits
from brood.frontends.http.schema import GenerationView
from brood.protocol.errors import Overloaded, RowFailed, RuntimeFailed
from brood.protocol.events import Sample
from brood.protocol.requests import Generation
from helpers.backend import sample_of
from helpers.http import JSON, Service, array_of, error_of
from helpers.observer import Ended

TINY = {"model": "tiny", "seed": 7}


async def test_the_answer_has_the_promised_shape(service: Service) -> None:
    response = await service.generate(TINY | {"n": 2, "params": {"label": 3}}, **{"x-request-id": "my-id"})
    assert response.headers["content-type"] == "application/json"
    view = GenerationView.model_validate_json(response.content)
    assert (view.id, view.model, view.version, view.operation) == ("my-id", "tiny", 2, "generate")
    assert (view.seed, view.determinism, view.usage.rows, view.usage.steps) == (7, "exact", 2, 6)
    assert (view.timing.queue_ms, view.timing.run_ms) == (0.25, 1.5)
    assert [sample.index for sample in view.samples] == [0, 1]
    assert response.json()["samples"][0]["outputs"]["sample"]["format"] == "png"


async def test_raw_npy_and_png_show_the_same(service: Service) -> None:
    raw, npy, png = [
        (await service.generate(TINY | {"output": {"format": form}})).json()["samples"][0]["outputs"]["sample"]
        for form in ("raw", "npy", "png")
    ]
    wanted = sample_of(service.backend.submitted[0], 0).outputs["sample"]
    np.testing.assert_array_equal(array_of(raw), wanted)
    np.testing.assert_array_equal(array_of(npy), wanted)
    assert (raw["dtype"], raw["shape"], png["dtype"], png["shape"]) == ("float32", [1, 28, 28], "uint8", [28, 28])


async def test_the_quality_of_a_picture(service: Service) -> None:
    def words(quality: int) -> dict[str, object]:
        return TINY | {"output": {"format": "jpeg", "quality": quality}}

    low, high = [(await service.generate(words(quality), accept="image/jpeg")).content for quality in (10, 90)]
    assert len(low) < len(high)
    told = (await service.generate(words(10))).json()["samples"][0]["outputs"]["sample"]
    assert array_of(told | {"dtype": "uint8", "shape": [-1]}).tobytes() == low


async def test_a_missing_seed_is_drawn_and_reported(service: Service) -> None:
    body = (await service.generate({"model": "tiny"})).json()
    assert body["seed"] == body["samples"][0]["seed"] == service.backend.submitted[0].seed < 2**53


async def test_infinite_scalars_are_null(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    def infinite(generation: Generation, row: int) -> Sample:
        made = sample_of(generation, row)
        return Sample(made.index, made.seed, {**made.outputs, "label": np.array(-math.inf)})

    monkeypatch.setattr("helpers.backend.sample_of", infinite)
    assert (await service.generate(TINY)).json()["samples"][0]["outputs"]["label"] is None


async def test_a_picture_as_it_is(service: Service) -> None:
    response = await service.generate(TINY | {"index": 5}, accept="image/png", **{"x-request-id": "p"})
    assert response.status_code == 200
    assert response.headers["content-type"] == "image/png"
    named = {name: value for name, value in response.headers.items() if name.startswith("x-")}
    assert named == {
        "x-brood-seed": "7",
        "x-brood-index": "5",
        "x-brood-model": "tiny",
        "x-brood-version": "2",
        "x-brood-determinism": "exact",
        "x-request-id": "p",
    }
    picture = Image.open(io.BytesIO(response.content))
    assert (picture.size, picture.mode) == ((28, 28), "L")


async def test_an_array_as_it_is(service: Service) -> None:
    response = await service.generate(TINY, accept="application/x-npy")
    wanted = sample_of(service.backend.submitted[0], 0).outputs["sample"]
    np.testing.assert_array_equal(np.load(io.BytesIO(response.content)), wanted)


@pytest.mark.parametrize(
    ("rest", "accept", "field"),
    [
        ({"n": 2}, "image/png", "n"),
        ({"operation": "score"}, "image/png", "Accept"),
        ({"operation": "complete"}, "image/png", "Accept"),
        ({"operation": "score"}, "application/x-npy", "Accept"),
        ({}, "text/html", "Accept"),
        ({}, "audio/wav", "Accept"),
        ({}, "video/*", "Accept"),
        ({"operation": "complete"}, "image/webp", "Accept"),
    ],
)
async def test_what_cannot_be_given_is_refused_with_advice(
    service: Service, rest: dict[str, object], accept: str, field: str
) -> None:
    response = await service.generate(TINY | rest, accept=accept)
    error = error_of(response)
    assert (response.status_code, error["code"], error["field"]) == (406, "not_acceptable", field)
    assert "application/json" in error["message"]
    assert service.backend.submitted == []


async def test_errors_of_the_model_come_before_those_of_the_form(service: Service) -> None:
    assert error_of(await service.generate({"model": "nope", "n": 2}, accept="image/png"))["code"] == "model_not_found"


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", ""])
async def test_only_json_is_read(service: Service, content_type: str) -> None:
    headers = {"content-type": content_type} if content_type else {}
    response = await service.client.post("/v1/generations", content=b'{"model":"tiny"}', headers=headers)
    error = error_of(response)
    assert (response.status_code, error["code"], error["field"]) == (415, "unsupported_media_type", "Content-Type")
    assert "application/json" in error["message"]


@pytest.mark.parametrize("body", [b"{", b"", b"[]", b'{"model": "tiny"', b"\xff\xfe", b"[" * 10**5])
async def test_broken_json(service: Service, body: bytes) -> None:
    response = await service.client.post("/v1/generations", content=body, headers=JSON)
    assert (response.status_code, error_of(response)["code"]) == (400, "invalid_argument")


async def test_errors_of_the_engine(service: Service) -> None:
    service.backend.failure = RowFailed("sample 3 is not finite", index=3)
    response = await service.generate(TINY)
    assert (response.status_code, error_of(response)["index"]) == (422, 3)
    service.backend.failure = RuntimeFailed("graph step failed")
    response = await service.generate(TINY)
    assert (response.status_code, error_of(response)["code"]) == (500, "runtime_failed")


async def test_what_is_asked_for_reaches_the_engine(service: Service) -> None:
    await service.generate(TINY | {"priority": "bulk", "determinism": "exact"})
    await service.generate(TINY)
    orders = [(order.priority, order.exact) for order in service.backend.submitted]
    assert orders == [("bulk", True), ("interactive", False)]


async def test_exact_samples_that_cannot_be_had(service: Service) -> None:
    image = {"data": np.zeros((1, 28, 28)).tolist()}
    response = await service.generate(TINY | {"operation": "score", "determinism": "exact", "inputs": {"image": image}})
    error = error_of(response)
    assert (response.status_code, error["code"], error["field"]) == (409, "determinism_unavailable", "determinism")


async def test_a_deadline_that_cannot_be_met(service: Service) -> None:
    response = await service.generate(TINY | {"deadline_ms": 0.05})
    error = error_of(response)
    assert (response.status_code, error["code"], error["field"]) == (422, "deadline_infeasible", "deadline_ms")


async def test_a_full_queue_tells_when_to_come_back(service: Service) -> None:
    service.backend.refusal = Overloaded("the queue is full", retry_after_s=1.2)
    response = await service.generate(TINY)
    assert (response.status_code, response.headers["retry-after"]) == (429, "2")


@pytest.mark.parametrize("request_id", ["plain", "with/slash", "per%cent?", "semi;colon"])
async def test_a_running_generation_is_cancelled(service: Service, request_id: str) -> None:
    service.backend.held = asyncio.Event()
    task = asyncio.ensure_future(service.generate(TINY, **{"x-request-id": request_id}))
    await service.backend.started.get()
    address = f"/v1/generations/{quote(request_id, safe='')}"
    gone = await service.client.delete(address)
    assert (gone.status_code, gone.content) == (204, b"")
    response = await task
    assert (response.status_code, error_of(response)["code"]) == (499, "cancelled")
    again = await service.client.delete(address)
    error = error_of(again)
    assert (again.status_code, error["code"], error["field"]) == (404, "generation_not_found", "id")


async def test_an_idempotency_key_is_answered_once(service: Service) -> None:
    first = await service.generate({"model": "tiny"}, **{"idempotency-key": "k"})
    second = await service.generate({"model": "tiny"}, **{"idempotency-key": "k", "x-request-id": "other"})
    assert second.content == first.content
    assert "idempotent-replayed" not in first.headers
    assert (second.headers["idempotent-replayed"], second.headers["x-request-id"]) == ("true", "other")
    assert len(service.backend.submitted) == 1


@pytest.mark.parametrize("accept", ["image/png", "application/zip"])
async def test_an_idempotency_key_holds_for_one_form(service: Service, accept: str) -> None:
    first = await service.generate(TINY, accept=accept, **{"idempotency-key": "k"})
    second = await service.generate(TINY, accept=accept, **{"idempotency-key": "k"})
    assert second.content == first.content
    assert second.headers["x-brood-seed"] == "7"


@pytest.mark.parametrize(
    ("key", "words", "status", "code"),
    [
        ("k", {"n": 2}, 422, "idempotency_conflict"),
        ("two words", {}, 400, "invalid_argument"),
        ("", {}, 400, "invalid_argument"),
    ],
)
async def test_keys_that_are_refused(
    service: Service, key: str, words: dict[str, object], status: int, code: str
) -> None:
    await service.generate(TINY, **{"idempotency-key": "k"})
    response = await service.generate(TINY | words, **{"idempotency-key": key})
    error = error_of(response)
    assert (response.status_code, error["code"], error["field"]) == (status, code, "Idempotency-Key")


async def test_a_body_that_does_not_come() -> None:
    async def silent() -> AsyncIterator[bytes]:
        yield b'{"model"'
        await asyncio.Event().wait()

    service = Service(Limits(body_idle_s=0.01))
    response = await service.client.post("/v1/generations", content=silent(), headers=JSON)
    assert (response.status_code, error_of(response)["code"]) == (408, "request_timeout")
    assert response.headers["connection"] == "close"
    assert service.observer.ended == [Ended("unknown", "unknown", "http", "request_timeout", 0.0, 0)]
    assert (await service.generate(TINY)).status_code == 200
    await service.close()


async def test_others_go_on_while_a_large_one_is_held(service: Service) -> None:
    service.backend.held = asyncio.Event()
    large = asyncio.ensure_future(service.generate(TINY | {"n": 50}))
    await service.backend.started.get()
    bad = await service.generate(TINY | {"n": 10**9})
    assert bad.status_code == 400
    service.backend.held.set()
    assert len((await large).json()["samples"]) == 50


async def test_a_large_answer_is_complete(service: Service) -> None:
    body = (await service.generate(TINY | {"n": 300, "output": {"format": "raw"}})).json()
    order = service.backend.submitted[0]
    for row in (0, 150, 299):
        wanted = sample_of(order, row).outputs["sample"]
        np.testing.assert_array_equal(array_of(body["samples"][row]["outputs"]["sample"]), wanted)


async def test_every_request_is_counted(service: Service) -> None:
    await service.generate(TINY)
    await service.generate("no object")
    assert service.observer.ended == [
        Ended("tiny", "generate", "http", "ok", 0.0, 1),
        Ended("unknown", "unknown", "http", "invalid_argument", 0.0, 0),
    ]


async def test_a_body_beyond_the_limit() -> None:
    service = Service(Limits(max_body_bytes=100))
    response = await service.generate(TINY | {"operation": "x" * 100})
    assert (response.status_code, error_of(response)["code"]) == (413, "payload_too_large")
    assert (await service.generate(TINY)).status_code == 200
    await service.close()
