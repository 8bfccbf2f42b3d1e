"""The scenarios over OpenAI's images API: the pictures of the own address, and errors of equal status, code and field.

Only those of `generate` can be said.
"""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import AsyncIterator
from typing import Any

import pytest

from brood.frontends.http.openai.words import OWN
from brood.protocol.errors import TABLE
from contract.scenarios import BAD, GOOD, Request, Scenario
from helpers.http import Service

STATUSES = {row.code: row.http for row in TABLE.values()}
SAID = {"model", "version", "n", "params", "output", *OWN, "colour"}


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    service = Service()
    yield service
    await service.close()


def said(scenarios: tuple[Scenario, ...]) -> list[Scenario]:
    """Those that can be said; pictures have formats of their own."""
    return [each for each in scenarios if set(each.request) <= SAID and (each.refusal is None or not own_format(each))]


def own_format(scenario: Scenario) -> bool:
    return scenario.refusal is not None and str(scenario.refusal.field).startswith("output")


def words_of(request: Request) -> dict[str, Any]:
    return {"prompt": "any", **{name: value for name, value in request.items() if name != "output"}}


@pytest.mark.parametrize("scenario", said(GOOD), ids=lambda scenario: scenario.name)
async def test_good(service: Service, scenario: Scenario) -> None:
    response = await service.client.post("/v1/images/generations", json=words_of(scenario.request))
    assert response.status_code == 200, response.text
    own = await service.generate({name: value for name, value in scenario.request.items() if name != "output"})
    wanted = [(each["index"], each["seed"], each["outputs"]["sample"]["b64"]) for each in own.json()["samples"]]
    assert [(each["index"], each["seed"], each["b64_json"]) for each in response.json()["data"]] == wanted
    assert all(b64decode(picture).startswith(b"\x89PNG") for _, _, picture in wanted)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("scenario", said(BAD), ids=lambda scenario: scenario.name)
async def test_bad(service: Service, scenario: Scenario, stream: bool) -> None:
    words = words_of(scenario.request) | {"stream": stream}
    content = json.dumps(words)  # with NaN, as Python and JavaScript write it
    headers = {"content-type": "application/json"}
    response = await service.client.post("/v1/images/generations", content=content, headers=headers)
    error, refusal = response.json()["error"], scenario.refusal
    assert refusal is not None
    assert (response.status_code, error["code"]) == (STATUSES[refusal.code], refusal.code), error
    assert error["param"] == refusal.field
    assert service.backend.submitted == []
