"""The scenarios through `brood_client`, over HTTP and gRPC: samples and errors are those of the data plane itself."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import AsyncIterator
from typing import Any, cast

import numpy as np
import pytest

from brood.dataplane import DataPlane, Limits
from brood_client import AsyncClient, BroodError, Options, Sample
from contract.scenarios import BAD, GOOD, STREAMED, Request, Scenario, expected, raw
from contract.words import words_of
from helpers.backend import FakeBackend
from helpers.ends import Ends
from helpers.sdk import SERVERS

OWN = {
    "model",
    "operation",
    "output",
    "deadline_ms",
    "progress_every",
    "preview_every",
    "inputs",
}  # said in other words
# Files are read by the client, which has words of its own for those that are none.
OWN_WORDS = {"input that is not npy", "npy that claims to be huge", "npy that is cut off", "npy of objects"}
OWN_WORDS |= {"a picture that is none"}
TIMEOUTS = {"deadline 0", "deadline negative"}  # `timeout_s` here


def sendable(scenario: Scenario) -> bool:
    """Whether a caller of the client can ask for it: raw bytes are arrays here, which are as long as they say."""
    if scenario.json_only:
        return False
    for given in scenario.request.get("inputs", {}).values():
        if given.get("format") == "raw":
            size = math.prod(given.get("shape", ())) * np.dtype(given.get("dtype", "V0")).itemsize
            if size != len(base64.b64decode(given["b64"])):
                return False
        elif "data" not in given and "b64" not in given:
            return False
    return True


GOOD_HERE, BAD_HERE, STREAMED_HERE = (
    [pytest.param(scenario, id=scenario.name) for scenario in scenarios if sendable(scenario)]
    for scenarios in (GOOD, BAD, STREAMED)
)
EVERY = ("progress_every", "preview_every")  # said to streams only
BAD_WHOLE = [
    pytest.param(each, id=each.name) for each in BAD if sendable(each) and not set(EVERY) & each.request.keys()
]


def options_of(request: Request) -> Options:
    """The JSON body of a scenario in the words of the client."""
    words = {name: value for name, value in request.items() if name not in OWN}
    output = request.get("output", {})
    timeout = {"timeout_s": request["deadline_ms"] / 1000} if "deadline_ms" in request else {}
    inputs = {name: given_of(value) for name, value in request.get("inputs", {}).items()}
    return cast("Options", {**words, **output, **timeout, "inputs": inputs})


def as_sent(request: Request) -> Request:
    """The body that the client makes of a request: arrays go as raw bytes."""
    inputs = {
        name: raw(np.load(io.BytesIO(given_of(value)))) if value.get("format") == "npy" else value
        for name, value in request.get("inputs", {}).items()
    }
    return {**request, "inputs": inputs}


def given_of(value: dict[str, Any]) -> Any:
    """An input as somebody who has it in Python gives it: an array, the bytes of a file, nested lists."""
    if "data" in value:
        return value["data"]
    content = base64.b64decode(value["b64"])
    return np.frombuffer(content, value["dtype"]).reshape(value["shape"]) if value["format"] == "raw" else content


@pytest.fixture
async def plane() -> AsyncIterator[DataPlane]:
    plane = DataPlane(FakeBackend(), Limits(), Ends())
    yield plane
    plane.close()


@pytest.fixture(params=SERVERS)
async def client(request: pytest.FixtureRequest, plane: DataPlane) -> AsyncIterator[AsyncClient]:
    async with SERVERS[request.param](plane) as target, AsyncClient(f"{request.param}://{target}", retries=0) as client:
        yield client


async def whole(client: AsyncClient, request: Request) -> list[Sample]:
    """The samples of one answer."""
    operation = request.get("operation", "generate")
    return list((await client.generate(request["model"], operation=operation, **options_of(request))).samples)


async def streamed(client: AsyncClient, request: Request) -> list[Sample]:
    """The samples of a stream, in order of index."""
    every = {name: request[name] for name in EVERY if name in request}
    operation = request.get("operation", "generate")
    async with client.stream(request["model"], operation=operation, **every, **options_of(request)) as events:
        samples = [event async for event in events if isinstance(event, Sample)]
    return sorted(samples, key=lambda sample: sample.index)


def check_samples(scenario: Scenario, samples: list[Sample]) -> None:
    wanted = expected(scenario)
    assert [(sample.index, sample.seed) for sample in samples] == [(index, seed) for index, seed, _ in wanted]
    for sample, (_, _, outputs) in zip(samples, wanted, strict=True):
        assert set(sample.outputs) == set(outputs)
        for name, array in outputs.items():
            np.testing.assert_array_equal(sample.outputs[name], array)


@pytest.mark.parametrize("scenario", GOOD_HERE)
async def test_good(client: AsyncClient, scenario: Scenario) -> None:
    check_samples(scenario, await whole(client, scenario.request))


@pytest.mark.parametrize("scenario", GOOD_HERE + STREAMED_HERE)
async def test_good_as_a_stream(client: AsyncClient, scenario: Scenario) -> None:
    check_samples(scenario, await streamed(client, scenario.request))


async def check_refusal(plane: DataPlane, scenario: Scenario, error: BroodError) -> None:
    assert scenario.refusal is not None
    field = "timeout_s" if scenario.name in TIMEOUTS else scenario.refusal.field
    assert (error.code, error.field) == (scenario.refusal.code, field), error
    if scenario.name not in OWN_WORDS | TIMEOUTS:
        assert error.message == (await words_of(plane, as_sent(scenario.request))).message


@pytest.mark.parametrize("scenario", BAD_WHOLE)
async def test_bad(client: AsyncClient, plane: DataPlane, scenario: Scenario) -> None:
    with pytest.raises(BroodError) as caught:
        await whole(client, scenario.request)
    await check_refusal(plane, scenario, caught.value)


@pytest.mark.parametrize("scenario", BAD_HERE)
async def test_bad_as_a_stream(client: AsyncClient, plane: DataPlane, scenario: Scenario) -> None:
    with pytest.raises(BroodError) as caught:
        await streamed(client, scenario.request)
    await check_refusal(plane, scenario, caught.value)
