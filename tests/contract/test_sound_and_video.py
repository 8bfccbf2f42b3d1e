"""Sound and video over every transport: the same bytes from all of them, and the same errors in the same words."""

from __future__ import annotations

import base64
import io
import json
import zipfile
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any, cast

import grpc
import httpx2
import pytest

from brood.dataplane import DataPlane, Limits
from brood.media.encode import Encoded
from brood.protocol.requests import GenerateRequest
from brood.protocol.wire.generator_pb2_grpc import GeneratorStub
from contract.scenarios import SHOWN, UNSHOWN, Scenario, files_of
from contract.test_grpc import message_of
from contract.words import words_of
from helpers.backend import ALL, FPS, RATE_HZ, SINGER, FakeBackend
from helpers.grpc_server import grpc_server
from helpers.http import Service, error_of
from helpers.observer import FakeObserver

if TYPE_CHECKING:
    from brood.protocol.wire.generator_pb2_grpc import GeneratorAsyncStub

MEDIA_TYPES = {
    "flac": "audio/flac",
    "webm": "video/webm",
    "webp": "image/webp",
    "apng": "image/apng",
    "gif": "image/gif",
}

SINGLE = [  # those whose answer can be one file of sound or video
    each
    for each in SHOWN
    if each.request.get("n", 1) == 1 and each.request.get("output", {}).get("format") not in ("raw", "npy")
]


def named(scenario: Scenario) -> str:
    return scenario.name


@pytest.fixture
async def plane() -> AsyncIterator[DataPlane]:
    plane = DataPlane(FakeBackend(ALL), Limits(), FakeObserver())
    yield plane
    plane.close()


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    service = Service(statuses=ALL)
    yield service
    await service.close()


@pytest.fixture
async def stub(plane: DataPlane) -> AsyncIterator[GeneratorAsyncStub]:
    async with grpc_server(plane) as target, grpc.aio.insecure_channel(target) as channel:
        yield GeneratorStub(channel)


def in_json(sample: Mapping[str, Any]) -> dict[str, bytes]:
    """The files of a sample of a JSON answer, which says at which rate each is to be seen or heard."""
    shown = {name: output for name, output in sample["outputs"].items() if isinstance(output, dict)}
    for output in shown.values():
        assert (output.get("sample_rate_hz"), output.get("fps")) in {(RATE_HZ, None), (None, FPS)}
        assert ("range" in output) == (output["format"] in ("raw", "npy"))
    return {name: base64.b64decode(output["b64"]) for name, output in shown.items()}


@pytest.mark.parametrize("scenario", SHOWN, ids=named)
async def test_data_plane(plane: DataPlane, scenario: Scenario) -> None:
    answer = await plane.answer(GenerateRequest.model_validate_json(json.dumps(scenario.request)), "an-id", "local")
    files = [
        {name: content.content for name, content in sample.outputs.items() if isinstance(content, Encoded)}
        for sample in answer.samples
    ]
    assert files == files_of(scenario)


@pytest.mark.parametrize("scenario", SHOWN, ids=named)
async def test_http(service: Service, scenario: Scenario) -> None:
    response = await service.generate(scenario.request)
    assert response.status_code == 200, response.text
    assert [in_json(sample) for sample in response.json()["samples"]] == files_of(scenario)


@pytest.mark.parametrize("scenario", SHOWN, ids=named)
async def test_http_as_a_stream(service: Service, scenario: Scenario) -> None:
    response = await service.generate(scenario.request | {"stream": True})
    lines = [dict(line.split(": ", 1) for line in event.splitlines()) for event in response.text.split("\n\n") if event]
    samples = [json.loads(event["data"]) for event in lines if event["event"] == "sample"]
    samples.sort(key=lambda sample: int(sample["index"]))
    assert [in_json(sample) for sample in samples] == files_of(scenario)


@pytest.mark.parametrize("scenario", SINGLE, ids=named)
async def test_http_as_a_file(service: Service, scenario: Scenario) -> None:
    form = scenario.request.get("output", {}).get("format")
    default = "audio/wav" if scenario.request["model"] == SINGER else "video/mp4"
    response = await service.generate(scenario.request, accept=MEDIA_TYPES.get(form, default))
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == MEDIA_TYPES.get(form, default)
    assert response.headers["x-brood-seed"] == "7"
    assert [{"sample": response.content}] == files_of(scenario)


@pytest.mark.parametrize("scenario", SHOWN, ids=named)
async def test_grpc(stub: GeneratorAsyncStub, scenario: Scenario) -> None:
    answer = await stub.Generate(message_of(scenario.request))
    files = []
    for sample in answer.samples:
        shown = {name: output.tensor for name, output in sample.outputs.items() if output.HasField("tensor")}
        files.append({name: tensor.content for name, tensor in shown.items()})
        told = {(tensor.sample_rate_hz or None, tensor.fps or None) for tensor in shown.values()}
        assert told in ({(RATE_HZ, None)}, {(None, FPS)})
    assert files == files_of(scenario)


@pytest.mark.parametrize("scenario", UNSHOWN, ids=named)
async def test_what_does_not_fit_is_refused_alike(
    plane: DataPlane, service: Service, stub: GeneratorAsyncStub, scenario: Scenario
) -> None:
    refusal, local = scenario.refusal, await words_of(plane, scenario.request)
    assert refusal is not None
    assert (refusal.field, "allowed: " in local.message) == (local.field, True)
    response = await service.generate(scenario.request)
    error = error_of(response)
    assert (response.status_code, error["code"], error["field"], error["message"]) == (
        400,
        refusal.code,
        refusal.field,
        local.message,
    )
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.Generate(message_of(scenario.request))
    words = dict(cast("Any", caught.value.trailing_metadata()))
    assert (caught.value.details(), words["brood-error-field"]) == (local.message, refusal.field)
    assert service.backend.submitted == []


@pytest.mark.parametrize(
    ("model", "accept", "offered"),
    [
        ("singer", "image/png", "audio/wav, audio/flac"),
        ("singer", "video/mp4", "audio/wav, audio/flac"),
        ("mover", "image/png", "image/webp, video/mp4, video/webm, image/apng, image/gif"),
        ("mover", "audio/*", "image/webp, video/mp4, video/webm, image/apng, image/gif"),
        ("tiny", "audio/wav", "image/png, image/webp, image/jpeg"),
    ],
)
async def test_a_media_type_that_a_model_has_not(service: Service, model: str, accept: str, offered: str) -> None:
    response = await service.generate({"model": model}, accept=accept)
    error = error_of(response)
    assert (response.status_code, error["code"], error["field"]) == (406, "not_acceptable", "Accept")
    assert f"offered: application/json, {offered}, application/x-npy" in error["message"]
    assert service.backend.submitted == []


async def test_openai_makes_pictures_only(service: Service) -> None:
    for model in ("singer", "mover"):
        response = await service.client.post("/v1/images/generations", json={"model": model, "prompt": "3"})
        assert (response.status_code, response.json()["error"]["param"]) == (400, "model")
        assert f"model: {model} makes no pictures by generate" in response.json()["error"]["message"]


async def test_a_zip_holds_the_files(service: Service) -> None:
    for model, ending in (("singer", "wav"), ("mover", "mp4")):
        response = await service.generate({"model": model, "n": 2, "seed": 7}, accept="application/zip")
        archive = zipfile.ZipFile(io.BytesIO(response.content))
        assert archive.namelist() == ["metadata.json", f"000000-sample.{ending}", f"000001-sample.{ending}"]


async def test_previews_come_as_files_too(service: Service) -> None:
    for model, form in (("singer", "wav"), ("mover", "mp4")):
        response = await service.generate({"model": model, "stream": True, "preview_every": 1})
        events = [
            dict(line.split(": ", 1) for line in event.splitlines()) for event in response.text.split("\n\n")[:-1]
        ]
        previews = [json.loads(event["data"]) for event in events if event["event"] == "preview"]
        assert [preview["outputs"]["sample"]["format"] for preview in previews] == [form, form]


async def test_an_upload_is_known_by_its_type_or_by_how_it_begins(service: Service) -> None:
    scenario = next(each for each in SHOWN if each.name == "sound from a wav file")
    request = {name: value for name, value in scenario.request.items() if name != "inputs"}
    for name in ("sound from a wav file", "sound from a flac file"):
        given = next(each for each in SHOWN if each.name == name).request["inputs"]["audio"]
        content, form = base64.b64decode(given["b64"]), given["format"]
        for media_type in (f"audio/{form}", f"audio/x-{form}", "application/octet-stream"):
            files = {"request": (None, json.dumps(request)), "audio": ("sound", content, media_type)}
            response: httpx2.Response = await service.client.post("/v1/generations", files=cast("Any", files))
            assert response.status_code == 200, response.text
            assert [in_json(sample) for sample in response.json()["samples"]] == files_of(scenario)


async def test_a_model_says_what_is_to_be_had(service: Service) -> None:
    singer = (await service.client.get("/v1/models/singer")).json()
    assert singer["sample"] == {"layout": "CT", "range": [-1.0, 1.0], "sample_rate_hz": RATE_HZ, "fps": None}
    assert singer["operations"]["generate"]["outputs"]["sample"]["formats"] == ["wav", "flac", "raw", "npy"]
    given = singer["operations"]["reconstruct"]["schema"]["properties"]["inputs"]["properties"]["audio"]
    assert given["properties"]["format"]["enum"] == ["npy", "raw", "wav", "flac"]
    mover = (await service.client.get("/v1/models/mover")).json()
    assert mover["sample"]["fps"] == FPS
    assert mover["operations"]["generate"]["outputs"]["sample"]["formats"][:2] == ["mp4", "webm"]
