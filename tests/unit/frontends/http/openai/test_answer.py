from __future__ import annotations

import asyncio
import base64
from dataclasses import replace
from typing import Any

import pytest

from brood.protocol.errors import RowFailed
from helpers.backend import PAINTER, manifest, ready
from helpers.caller import Caller
from helpers.http import Service

PAINT: dict[str, Any] = {"model": PAINTER, "prompt": "7", "seed": 3, "stream": True}
COMMON = {"type", "b64_json", "created_at", "size", "quality", "background", "output_format"}


def call(service: Service, **words: Any) -> Caller:
    return Caller(service.app, "/v1/images/generations", PAINT | words, host="localhost")


async def test_partial_pictures_then_the_whole(service: Service) -> None:
    caller = call(service, partial_images=3)
    events = await caller.events()
    assert (caller.status, caller.headers["content-type"]) == (200, "text/event-stream")
    assert [name for name, _, _ in events] == ["image_generation.partial_image"] * 2 + ["image_generation.completed"]
    for name, _, data in events:
        assert set(data) >= COMMON
        assert (data["type"], data["size"], data["background"], data["quality"]) == (name, "28x28", "opaque", "auto")
        assert base64.b64decode(data["b64_json"], validate=True).startswith(b"\x89PNG")
    assert [data.get("partial_image_index") for _, _, data in events] == [0, 1, None]
    assert [data.get("usage", {}).get("total_tokens") for _, _, data in events] == [None, None, 0]


async def test_the_completed_picture_is_that_of_the_whole_answer(service: Service) -> None:
    whole = await service.client.post("/v1/images/generations", json={**PAINT, "stream": False, "n": 2})
    events = await call(service, n=2).events()
    assert [name for name, _, _ in events] == ["image_generation.completed"] * 2
    shown = sorted((data["index"], data["b64_json"]) for _, _, data in events)
    assert shown == [(each["index"], each["b64_json"]) for each in whole.json()["data"]]


@pytest.mark.parametrize(("partials", "shown"), [(None, 0), (0, 0), (1, 1), (2, 2)])
async def test_never_more_partial_pictures_than_asked_for(service: Service, partials: int | None, shown: int) -> None:
    events = await call(service, partial_images=partials).events()
    assert len(events) == shown + 1


async def test_models_without_previews_give_the_whole_alone(service: Service) -> None:
    words = manifest(PAINTER)
    operation = words.operations["generate"].model_copy(update={"preview": None})
    without = words.model_copy(update={"operations": {"generate": operation}})
    service.backend.statuses = (replace(ready(PAINTER), manifest=without),)
    events = await call(service, partial_images=3).events()
    assert [name for name, _, _ in events] == ["image_generation.completed"]
    assert service.backend.submitted[0].preview_every is None


async def test_a_failure_is_an_event_with_an_error(service: Service) -> None:
    service.backend.failure = RowFailed("sample 0 is not finite", index=0)
    events = await call(service).events()
    assert [name for name, _, _ in events] == ["error"]
    assert events[0][2]["error"] == {
        "message": "sample 0 is not finite",
        "type": "invalid_request_error",
        "param": None,
        "code": "row_failed",
    }


async def test_leaving_ends_the_generation(service: Service) -> None:
    service.backend.held = asyncio.Event()
    caller = call(service)
    await service.backend.started.get()
    caller.leave()
    await caller.served
    assert service.backend.closed == [caller.headers["x-request-id"]]
    assert service.observer.ended[0].code == "cancelled"
