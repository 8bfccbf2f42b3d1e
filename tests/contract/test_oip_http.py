"""The scenarios over the Open Inference Protocol's HTTP: the same bits, and the same errors in the same words."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import httpx2
import numpy as np
import pytest

from brood.frontends.oip.datatypes import NUMPY
from brood.protocol.errors import TABLE
from contract.oip import OWN_WORDS, UNSAID_OVER_HTTP, call_of, check_names, check_samples, said
from contract.scenarios import BAD, GOOD, Scenario
from contract.words import words_of
from helpers.http import Service

HEADER_LENGTH = "Inference-Header-Content-Length"
STATUSES = {row.code: row.http for row in TABLE.values()}


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    service = Service()
    yield service
    await service.close()


async def infer(service: Service, scenario: Scenario) -> httpx2.Response:
    call = call_of(scenario)
    content, head = call.body()
    return await service.client.post(call.path, content=content, headers={HEADER_LENGTH: str(head)})


def arrays(response: httpx2.Response) -> dict[str, np.ndarray]:
    """Outputs by name, of the bytes that follow the JSON in their order."""
    place = int(response.headers[HEADER_LENGTH])
    found = {}
    for output in json.loads(response.content[:place])["outputs"]:
        end = place + output["parameters"]["binary_data_size"]
        content = response.content[place:end]
        found[output["name"]] = np.frombuffer(content, NUMPY[output["datatype"]]).reshape(output["shape"])
        place = end
    assert place == len(response.content)
    return found


@pytest.mark.parametrize("scenario", said(GOOD), ids=lambda scenario: scenario.name)
async def test_good(service: Service, scenario: Scenario) -> None:
    response = await infer(service, scenario)
    assert response.status_code == 200, response.text
    check_samples(scenario, arrays(response))


@pytest.mark.parametrize("scenario", said(BAD, UNSAID_OVER_HTTP), ids=lambda scenario: scenario.name)
async def test_bad(service: Service, scenario: Scenario) -> None:
    response = await infer(service, scenario)
    error = response.json()["error"]
    assert scenario.refusal is not None
    assert response.status_code == STATUSES[scenario.refusal.code], error
    if scenario.name in OWN_WORDS:
        assert error.startswith(f"{OWN_WORDS[scenario.name]}: "), error
    else:
        assert error == (await words_of(service.plane, scenario.request)).message
    assert service.backend.submitted == []


def test_what_cannot_be_said_is_listed_by_names_that_there_are() -> None:
    check_names()
