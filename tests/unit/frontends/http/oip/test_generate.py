from __future__ import annotations

import asyncio
import json
from typing import Any

import numpy as np
import pytest

from brood.protocol.errors import RowFailed
from helpers.backend import IMAGE, sample_of
from helpers.caller import Caller
from helpers.http import Service

GENERATE, STREAM = "/v2/models/tiny/generate", "/v2/models/tiny/generate_stream"


def events(text: str) -> list[dict[str, Any]]:
    """The data of server-sent events."""
    return [json.loads(part.removeprefix("data: ")) for part in text.split("\n\n") if part]


async def test_outputs_come_by_name_as_one_number_or_a_flat_list(service: Service) -> None:
    body = {"id": "mine", "seed": 7, "label": 3, "parameters": {"temperature": 0.5}}
    words = (await service.client.post(GENERATE, json=body)).json()
    (order,) = service.backend.submitted
    assert (order.seed, order.params["label"], order.params["temperature"]) == (7, 3, 0.5)
    assert (words["id"], words["model_name"], words["model_version"]) == ("mine", "tiny", "2")
    assert (words["seed"], words["index"]) == (7, 0)
    wanted = sample_of(order, 0).outputs["sample"]
    np.testing.assert_array_equal(np.array(words["sample"], np.float32), wanted.ravel())


async def test_inputs_are_one_row_however_nested(service: Service) -> None:
    picture = np.linspace(-1, 1, 784, dtype=np.float32)
    for data in (picture.tolist(), picture.reshape(IMAGE).tolist()):
        body = {"image": data, "parameters": {"operation": "reconstruct"}}
        assert (await service.client.post(GENERATE, json=body)).status_code == 200
        np.testing.assert_array_equal(service.backend.submitted[-1].inputs["image"][0].ravel(), picture)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"label": 30}, "params.label"),
        ({"colour": [1]}, "colour"),
        ({"colour": 1}, "params.colour"),
        ({"image": [1, 2], "parameters": {"operation": "reconstruct"}}, "inputs.image"),
        ({"image": [[1], [2, 3]], "parameters": {"operation": "reconstruct"}}, "inputs.image"),
        ({"parameters": 3}, "parameters"),
    ],
)
@pytest.mark.parametrize("path", [GENERATE, STREAM])
async def test_bad_calls_are_refused_with_a_status(service: Service, body: Any, words: str, path: str) -> None:
    response = await service.client.post(path, json=body)
    assert response.status_code == 400
    assert words in response.json()["error"]


async def test_a_stream_tells_each_row_as_it_is_finished(service: Service) -> None:
    response = await service.client.post(STREAM, json={"seed": 7, "parameters": {"n": 3}})
    assert response.headers["content-type"].startswith("text/event-stream")
    assert [(event["seed"], event["index"]) for event in events(response.text)] == [(7, 2), (7, 1), (7, 0)]


async def test_a_stream_that_fails_says_so_at_its_end(service: Service) -> None:
    service.backend.held = asyncio.Event()
    sent = asyncio.create_task(service.client.post(STREAM, json={"seed": 7, "parameters": {"n": 3}}))
    await service.backend.started.get()
    service.backend.failure = RowFailed("not finite", index=1)
    service.backend.held.set()
    found = events((await sent).text)
    assert (found[0]["index"], found[-1]) == (2, {"error": "not finite"})


async def test_a_stream_that_fails_at_once_has_a_status(service: Service) -> None:
    service.backend.failure = RowFailed("not finite", index=0)
    response = await service.client.post(STREAM, json={"seed": 7})
    assert (response.status_code, response.json()) == (422, {"error": "not finite"})


async def test_a_caller_who_leaves_a_stream_ends_the_work(service: Service) -> None:
    service.backend.held = asyncio.Event()
    caller = Caller(service.app, STREAM, {"seed": 7, "parameters": {"n": 3}})
    first = await caller.chunk()
    assert first is not None
    assert events(first.decode())[0]["index"] == 2
    caller.leave()
    await caller.served
    assert service.backend.running == {}
    assert service.observer.ended[-1].code == "cancelled"
