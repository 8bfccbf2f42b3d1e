"""One prompt over every transport: the same picture, and the same words where it is refused."""

from __future__ import annotations

import asyncio
from base64 import b64decode
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
import httpx2
import jsonschema
import numpy as np
import pytest
from click.testing import CliRunner

from brood.access.gate import open_gate
from brood.cli import main
from brood.dataplane import DataPlane, Limits
from brood.dataplane.local import load_local
from brood.frontends.http.app import HttpOptions, build_app
from brood.host.host import Host, HostOptions
from brood.protocol.errors import InvalidArgument
from brood.protocol.wire import generator_pb2 as pb
from brood.protocol.wire import inference_pb2 as oip
from brood.protocol.wire.generator_pb2_grpc import GeneratorStub
from brood.protocol.wire.inference_pb2_grpc import GRPCInferenceServiceStub
from brood.remote import OperationCost
from brood_client import AsyncClient
from brood_client import BroodError as ClientError
from helpers.ends import Ends
from helpers.grpc_server import grpc_server
from helpers.http import array_of
from helpers.observer import FakeObserver
from helpers.quiet import Quiet
from helpers.texts import LENGTH, WORDS, texts_bundle
from helpers.workers import Worker, ingress, working

PROMPT, NEGATIVE = "a zebra", "dog"
LONG = "a " * LENGTH
TOO_LONG = f'inputs.prompt: text "of {LENGTH + 1} tokens" is not allowed; allowed: at most {LENGTH} tokens'
ASKED = {"model": "reader", "seed": 7, "n": 2}

Ask = Callable[[str, str | None], Awaitable[np.ndarray]]


@pytest.fixture
async def host(tmp_path: Path) -> AsyncIterator[Host]:
    texts_bundle(tmp_path)
    host = Host(HostOptions(models=tmp_path, cache_dir=None), Quiet())
    await host.start()
    assert host.models()[0].reason == ""
    yield host
    await host.stop()


@pytest.fixture
async def plane(host: Host) -> AsyncIterator[DataPlane]:
    plane = DataPlane(host, Limits(), Ends())
    yield plane
    plane.close()


@pytest.fixture
async def http(plane: DataPlane) -> AsyncIterator[httpx2.AsyncClient]:
    app = build_app(plane, HttpOptions(None, open_gate()))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://localhost") as client:
        yield client


def texts(prompt: str, negative: str | None) -> dict[str, str]:
    return {"prompt": prompt} | ({} if negative is None else {"negative_prompt": negative})


async def own(http: httpx2.AsyncClient, inputs: dict[str, Any]) -> np.ndarray:
    body = {**ASKED, "inputs": inputs, "output": {"format": "raw"}}
    response = await http.post("/v1/generations", json=body)
    if response.status_code != 200:
        error = response.json()["error"]
        raise InvalidArgument(error["message"], field=error.get("field"))
    return np.stack([array_of(sample["outputs"]["image"]) for sample in response.json()["samples"]])


async def test_a_prompt_makes_a_difference_and_padding_none(http: httpx2.AsyncClient) -> None:
    one = await own(http, {"prompt": "zebra"})
    other = await own(http, {"prompt": "zebra a", "negative_prompt": "a"})
    np.testing.assert_allclose(other - one, (0.02 - 0.01) * (WORDS["a"] + 0.5), atol=1e-6)
    alone = await own(http, {"prompt": {"text": "zebra"}, "negative_prompt": {"b64": "", "format": "text"}})
    assert alone.tobytes() == one.tobytes()


async def test_the_same_over_every_transport(
    http: httpx2.AsyncClient, plane: DataPlane, host: Host, tmp_path: Path
) -> None:
    for negative in (None, NEGATIVE):
        expected = await own(http, texts(PROMPT, negative))
        for name, ask in transports(http, plane, host, tmp_path).items():
            found = await ask(PROMPT, negative)
            assert found.tobytes() == expected.tobytes(), name


async def test_the_same_words_over_every_transport(
    http: httpx2.AsyncClient, plane: DataPlane, host: Host, tmp_path: Path
) -> None:
    with pytest.raises(InvalidArgument) as caught:
        await own(http, {"prompt": LONG})
    assert (caught.value.message, caught.value.field) == (TOO_LONG, "inputs.prompt")
    for name, ask in transports(http, plane, host, tmp_path).items():
        with pytest.raises((InvalidArgument, ClientError, grpc.RpcError)) as refused:
            await ask(LONG, None)
        assert TOO_LONG in str(refused.value), name


def transports(http: httpx2.AsyncClient, plane: DataPlane, host: Host, root: Path) -> dict[str, Ask]:
    async def generator(prompt: str, negative: str | None) -> np.ndarray:
        inputs = {
            name: pb.Tensor(content=text.encode(), format="text") for name, text in texts(prompt, negative).items()
        }
        async with grpc_server(plane) as target, grpc.aio.insecure_channel(target) as channel:
            request = pb.GenerateRequest(
                model="reader", seed=7, n=2, inputs=inputs, output=pb.OutputChoice(format="raw")
            )
            answer = await GeneratorStub(channel).Generate(request)
        return np.stack([read(sample.outputs["image"].tensor.content) for sample in answer.samples])

    async def inference(prompt: str, negative: str | None) -> np.ndarray:
        tensors = [
            oip.ModelInferRequest.InferInputTensor(
                name=name,
                datatype="BYTES",
                shape=[1, 1],
                contents=oip.InferTensorContents(bytes_contents=[text.encode()]),
            )
            for name, text in texts(prompt, negative).items()
        ]
        parameters = {name: oip.InferParameter(int64_param=value) for name, value in (("seed", 7), ("n", 2))}
        async with grpc_server(plane) as target, grpc.aio.insecure_channel(target) as channel:
            request = oip.ModelInferRequest(model_name="reader", inputs=tensors, parameters=parameters)
            answer = await GRPCInferenceServiceStub(channel).ModelInfer(request)
        place = [output.name for output in answer.outputs].index("image")
        return read(answer.raw_output_contents[place]).reshape(2, 1, 4, 4)

    async def inference_http(prompt: str, negative: str | None) -> np.ndarray:
        inputs = [
            {"name": name, "datatype": "BYTES", "shape": [1, 1], "data": [text]}
            for name, text in texts(prompt, negative).items()
        ]
        body = {"inputs": inputs, "parameters": {"seed": 7, "n": 2}}
        response = await http.post("/v2/models/reader/infer", json=body)
        if response.status_code != 200:
            raise InvalidArgument(str(response.json()["error"]))
        image = next(output for output in response.json()["outputs"] if output["name"] == "image")
        return np.asarray(image["data"], np.float32).reshape(2, 1, 4, 4)

    async def local(prompt: str, negative: str | None) -> np.ndarray:
        def made() -> np.ndarray:
            with load_local(str(root)) as model:
                given: dict[str, Any] = {} if negative is None else {"negative_prompt": negative}
                return np.asarray(model.generate(prompt=prompt, n=2, seed=7, **given).array)

        return await asyncio.to_thread(made)

    async def sdk(prompt: str, negative: str | None) -> np.ndarray:
        async with grpc_server(plane) as target, AsyncClient(f"grpc://{target}", retries=0) as client:
            made = await client.generate("reader", n=2, seed=7, inputs=texts(prompt, negative))
        return np.asarray(made.arrays["image"])

    async def split(prompt: str, negative: str | None) -> np.ndarray:
        costs = {("reader", 1): {"generate": OperationCost(1.0)}}  # so slow that two samples are cut
        beside = Host(HostOptions(models=root, cache_dir=None), Quiet())
        await beside.start()
        one, other = Worker("a", host, host.models, costs), Worker("b", beside, beside.models, costs)
        async with working(one), working(other), ingress(one, other) as backend:
            cut = DataPlane(backend, Limits(), FakeObserver())
            app = build_app(cut, HttpOptions(None, open_gate()))
            async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://localhost") as client:
                try:
                    return await own(client, texts(prompt, negative))
                finally:
                    cut.close()
                    await beside.stop()

    return {
        "gRPC": generator,
        "inference over gRPC": inference,
        "inference over HTTP": inference_http,
        "in process": local,
        "SDK": sdk,
        "workers": split,
    }


def read(content: bytes) -> np.ndarray:
    return np.frombuffer(content, "<f4").reshape(-1, 4, 4) if len(content) == 64 else np.frombuffer(content, "<f4")


async def test_rows_of_one_call_may_have_prompts_of_their_own(http: httpx2.AsyncClient) -> None:
    prompts = ["cat", "cat", "zebra"]
    tensor = {"name": "prompt", "datatype": "BYTES", "shape": [3, 1], "data": prompts}
    response = await http.post("/v2/models/reader/infer", json={"inputs": [tensor], "parameters": {"seed": 7}})
    image = next(output for output in response.json()["outputs"] if output["name"] == "image")
    found = np.asarray(image["data"], np.float32).reshape(3, 1, 4, 4)
    cats = await own(http, {"prompt": "cat"})
    assert found[:2].tobytes() == cats.tobytes()
    assert found[2].mean() > cats.mean() + 0.02


async def test_openai_clients_say_it_as_they_always_do(http: httpx2.AsyncClient) -> None:
    words = {"model": "reader", "prompt": PROMPT, "negative_prompt": NEGATIVE, "seed": 7}
    response = await http.post("/v1/images/generations", json=words)
    assert response.status_code == 200, response.text
    body = {**ASKED, "n": 1, "inputs": texts(PROMPT, NEGATIVE)}
    wanted = (await http.post("/v1/generations", json=body)).json()["samples"][0]["outputs"]["image"]["b64"]
    assert response.json()["data"][0]["b64_json"] == wanted
    assert b64decode(wanted).startswith(b"\x89PNG")
    response = await http.post("/v1/images/generations", json={**words, "prompt": LONG})
    assert (response.status_code, response.json()["error"]["message"]) == (400, TOO_LONG.removeprefix("inputs."))


async def test_the_listing_says_what_to_send(http: httpx2.AsyncClient) -> None:
    operation = (await http.get("/v1/models/reader")).json()["operations"]["generate"]
    assert operation["inputs"]["prompt"]["kind"] == "text"
    assert (operation["inputs"]["prompt"]["default"], operation["inputs"]["negative_prompt"]["default"]) == (None, "")
    assert "tokenizer" not in operation["inputs"]["prompt"]
    schema = operation["schema"]
    assert schema["properties"]["inputs"]["required"] == ["prompt"]
    check = jsonschema.Draft202012Validator(schema)
    for good in ({"prompt": "a"}, {"prompt": {"text": "a"}, "negative_prompt": "b"}):
        check.validate({"inputs": good})
    for bad in ({}, {"prompt": 3}, {"prompt": "a" * 161}, {"prompt": {"data": [1]}}):
        assert not check.is_valid({"inputs": bad}), bad


@pytest.mark.parametrize(
    ("inputs", "reason"),
    [
        ({}, "inputs.prompt: missing; this operation needs it: a text, what to draw"),
        ({"prompt": {"data": [1, 2, 3, 4, 5]}}, "inputs.prompt: format null is not allowed"),
        ({"prompt": "x" * 161}, 'inputs.prompt: text "of 161 characters" is not allowed'),
        ({"prompt": {"b64": "//79", "format": "text"}}, 'inputs.prompt: b64 "no UTF-8" is not allowed'),
        ({"prompt": ["a", "b"]}, "inputs.prompt"),
        ({"prompt": 7}, "inputs.prompt"),
        ({"prompt": "a", "negative": "b"}, "inputs.negative"),
    ],
)
async def test_what_is_refused(http: httpx2.AsyncClient, inputs: dict[str, Any], reason: str) -> None:
    response = await http.post("/v1/generations", json={**ASKED, "inputs": inputs})
    assert response.status_code == 400, response.text
    assert reason in response.json()["error"]["message"]


def test_on_the_command_line_a_text_is_itself(tmp_path: Path) -> None:
    texts_bundle(tmp_path / "models")
    common = ["generate", "reader", "--models", str(tmp_path / "models"), "--seed", "7"]
    made = CliRunner().invoke(main, [*common, "--input", f"prompt={PROMPT}", "-o", str(tmp_path / "made")])
    assert made.exit_code == 0, made.output
    assert list((tmp_path / "made").glob("*.png"))
    refused = CliRunner().invoke(main, [*common, "--input", f"prompt={LONG}", "-o", str(tmp_path / "none")])
    assert refused.exit_code != 0
    assert TOO_LONG in refused.output
