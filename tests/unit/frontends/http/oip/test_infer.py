from __future__ import annotations

import asyncio
import gzip
import json
import zlib
from typing import Any

import httpx2
import numpy as np
import pytest

from brood.frontends.http.oip.body import HEADER_LENGTH
from brood.protocol.errors import Overloaded
from helpers.backend import IMAGE, sample_of
from helpers.caller import Caller
from helpers.http import Service

INFER = "/v2/models/tiny/infer"


def seeds(*numbers: int, **words: Any) -> dict[str, Any]:
    """The input ``seed`` of several rows, as JSON."""
    return {"name": "seed", "shape": [len(numbers), 1], "datatype": "INT64", "data": list(numbers), **words}


def binary(body: dict[str, Any], *sections: bytes) -> tuple[bytes, dict[str, str]]:
    """A body with bytes behind its JSON, and its headers."""
    head = json.dumps(body).encode()
    return b"".join([head, *sections]), {HEADER_LENGTH: str(len(head))}


def parts(response: httpx2.Response) -> tuple[dict[str, Any], bytes]:
    """The JSON and the bytes of an answer."""
    size = int(response.headers[HEADER_LENGTH])
    return json.loads(response.content[:size]), response.content[size:]


def error_of(response: httpx2.Response) -> str:
    words = response.json()
    assert list(words) == ["error"]
    return str(words["error"])


async def test_json_in_json_out(service: Service) -> None:
    response = await service.client.post(INFER, json={"id": "mine", "inputs": [seeds(5, 6)]})
    words = response.json()
    assert (words["id"], words["model_name"], words["model_version"]) == ("mine", "tiny", "2")
    assert words["parameters"] == {"operation": "generate", "determinism": "exact"}
    assert [output["name"] for output in words["outputs"]] == ["sample", "label", "seed", "index"]
    assert words["outputs"][2] == {"name": "seed", "datatype": "INT64", "shape": [2, 1], "data": [5, 6]}
    found = np.array(words["outputs"][0]["data"], np.float32).reshape(2, *IMAGE)
    for row, order in enumerate(service.backend.submitted):
        np.testing.assert_array_equal(found[row], sample_of(order, 0).outputs["sample"])
    assert HEADER_LENGTH not in response.headers
    assert service.observer.ended[-1].protocol == "oip-http"


async def test_bytes_in_bytes_out(service: Service) -> None:
    picture = np.linspace(-1, 1, 2 * 784, dtype=np.float32).reshape(2, *IMAGE)
    inputs = [
        {"name": "image", "shape": [2, *IMAGE], "datatype": "FP32", "parameters": {"binary_data_size": picture.nbytes}},
        {"name": "seed", "shape": [2, 1], "datatype": "INT64", "parameters": {"binary_data_size": 16}},
    ]
    body, headers = binary(
        {"inputs": inputs, "parameters": {"operation": "reconstruct", "binary_data_output": True}},
        picture.tobytes(),
        np.array([5, 6]).tobytes(),
    )
    response = await service.client.post(INFER, content=body, headers=headers)
    words, content = parts(response)
    assert response.headers["content-type"] == "application/octet-stream"
    sizes = [output["parameters"]["binary_data_size"] for output in words["outputs"]]
    assert sizes == [picture.nbytes, 16, 16]
    assert sum(sizes) == len(content)
    wanted = np.stack([sample_of(order, 0).outputs["sample"] for order in service.backend.submitted])
    assert content[: sizes[0]] == wanted.tobytes()
    np.testing.assert_array_equal(service.backend.submitted[1].inputs["image"][0], picture[1])


async def test_each_output_goes_out_as_it_is_asked_for(service: Service) -> None:
    outputs = [{"name": "index"}, {"name": "sample", "parameters": {"binary_data": True}}]
    response = await service.client.post(INFER, json={"inputs": [seeds(5)], "outputs": outputs})
    words, content = parts(response)
    assert [output.get("data") for output in words["outputs"]] == [[0], None]
    assert len(content) == 784 * 4
    outputs = [{"name": "index", "parameters": {"binary_data": False}}, {"name": "seed"}]
    body = {"inputs": [seeds(5)], "outputs": outputs, "parameters": {"binary_data_output": True}}
    words, content = parts(await service.client.post(INFER, json=body))
    assert (words["outputs"][0]["data"], content) == ([0], np.int64(5).tobytes())


@pytest.mark.parametrize(("coding", "press"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
async def test_bodies_may_be_compressed_both_ways(service: Service, coding: str, press: Any) -> None:
    plain = json.dumps({"inputs": [seeds(5)], "parameters": {"n": 64}}).encode()
    headers = {"content-encoding": coding, "accept-encoding": coding}
    response = await service.client.post(INFER, content=press(plain), headers=headers)
    assert response.status_code == 200
    assert response.headers["content-encoding"] == coding
    assert response.json()["outputs"][0]["shape"] == [64, *IMAGE]


async def test_what_a_client_of_kserve_says_twice_is_heard_once(service: Service) -> None:
    body = {"model_name": "tiny", "inputs": [seeds(5)]}
    assert (await service.client.post(INFER, json=body)).status_code == 200


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "not valid JSON"),
        (b"{", "not valid JSON"),
        (b"[]", "body"),
        (b"[" * 100_000, "not valid JSON"),
        (b'{"inputs": 3}', "inputs"),
        (b'{"inputs": [3]}', "inputs.0"),
        (b'{"input": []}', "input: unknown field"),
        (b'{"inputs": [{"name": "seed"}]}', "inputs.0.shape: missing"),
        (b'{"inputs": [{"name": 3, "shape": [1], "datatype": "INT64"}]}', "inputs.0.name"),
        (b'{"parameters": {"label": [1]}}', "parameters.label"),
        (b'{"parameters": {"binary_data_output": 1}}', "parameters.binary_data_output"),
        (b'{"outputs": [{"name": "seed", "parameters": {"binary_data": 1}}]}', "outputs.seed.binary_data"),
        (b'{"id": 7}', "id"),
    ],
)
async def test_bodies_of_other_words_are_refused(service: Service, body: bytes, words: str) -> None:
    response = await service.client.post(INFER, content=body)
    assert response.status_code == 400
    assert words in error_of(response)
    assert service.observer.ended[-1].code == "invalid_argument"


@pytest.mark.parametrize(
    ("tensor", "content", "words"),
    [
        ({"parameters": {"binary_data_size": 8}}, bytes(7), "binary_data_size"),
        ({"parameters": {"binary_data_size": 8}}, bytes(9), "1 bytes follow"),
        ({"parameters": {"binary_data_size": 7}}, bytes(7), "allowed: 8"),
        ({"parameters": {"binary_data_size": -1}}, bytes(8), "binary_data_size"),
        ({"parameters": {"binary_data_size": 2**62}}, bytes(8), "binary_data_size"),
        ({"parameters": {"binary_data_size": "8"}}, bytes(8), "binary_data_size"),
        ({"parameters": {"binary_data_size": True}}, bytes(8), "binary_data_size"),
        ({"parameters": {"binary_data_size": 8}, "data": [1]}, bytes(8), "one of the two"),
        ({}, b"", "inputs.seed.data: missing"),
        ({"data": [1, 2]}, b"", "2 values"),
        ({"data": [1]}, bytes(1), "1 bytes follow"),
    ],
)
async def test_bytes_that_do_not_fit_are_refused(
    service: Service, tensor: dict[str, Any], content: bytes, words: str
) -> None:
    body, headers = binary({"inputs": [{"name": "seed", "shape": [1, 1], "datatype": "INT64", **tensor}]}, content)
    response = await service.client.post(INFER, content=body, headers=headers)
    assert response.status_code == 400
    assert words in error_of(response)


@pytest.mark.parametrize("length", ["-1", "x", "1.0", "", "99", "²", "9" * 30])
async def test_the_length_of_the_json_is_held_against_the_body(service: Service, length: str) -> None:
    response = await service.client.post(INFER, content=b"{}", headers={HEADER_LENGTH.encode(): length.encode()})
    assert response.status_code == 400
    assert HEADER_LENGTH in error_of(response)


async def test_half_floats_need_bytes(service: Service) -> None:
    tensor = {"name": "temperature", "shape": [1, 1], "datatype": "FP16", "data": [1.0]}
    assert "binary" in error_of(await service.client.post(INFER, json={"inputs": [tensor]}))
    del tensor["data"]
    body, headers = binary({"inputs": [{**tensor, "parameters": {"binary_data_size": 2}}]}, np.float16(0.8).tobytes())
    assert (await service.client.post(INFER, content=body, headers=headers)).status_code == 200
    assert service.backend.submitted[-1].params["temperature"] == 0.8


async def test_shared_memory_is_refused(service: Service) -> None:
    tensor = {"name": "seed", "shape": [1, 1], "datatype": "INT64", "parameters": {"shared_memory_region": "r"}}
    response = await service.client.post(INFER, json={"inputs": [tensor]})
    assert (response.status_code, "shared memory" in error_of(response)) == (501, True)


async def test_very_long_json_is_refused(service: Service) -> None:
    response = await service.client.post(INFER, content=b'{"inputs":[' + b"0," * 2**19 + b"0]}")
    assert response.status_code == 413
    response = await service.client.post(INFER, json={"inputs": [seeds(1)] * 300})
    assert (response.status_code, "at most 256" in error_of(response)) == (400, True)


async def test_errors_have_the_protocols_form_and_our_headers(service: Service) -> None:
    service.backend.refusal = Overloaded("full", retry_after_s=1.5)
    response = await service.client.post(INFER, json={"inputs": [seeds(1)]})
    assert (response.status_code, response.headers["retry-after"], error_of(response)) == (429, "2", "full")
    for path, status in (("/v2/models/nobody/infer", 404), ("/v2/models/tiny/versions/9/infer", 404)):
        response = await service.client.post(path, json={"inputs": []})
        assert (response.status_code, bool(error_of(response))) == (status, True)
    assert (await service.client.post("/v2/models/tiny/versions/x/infer", json={})).status_code == 400
    assert error_of(await service.client.get("/v2/nothing"))
    response = await service.client.get(INFER)
    assert (response.status_code, "POST" in error_of(response)) == (405, True)
    assert response.headers["x-request-id"]


async def test_a_caller_who_leaves_ends_the_work(service: Service) -> None:
    service.backend.held = asyncio.Event()
    caller = Caller(service.app, INFER, {"inputs": [seeds(5, 6, 7)]})
    for _ in range(3):
        await service.backend.started.get()
    caller.leave()
    await caller.served
    assert service.backend.running == {}
    assert service.observer.ended[-1].code == "cancelled"
