"""The scenarios over HTTP."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import numpy as np
import pytest

from brood.protocol.errors import TABLE
from contract.scenarios import BAD, GOOD, STREAMED, Scenario, expected
from helpers.http import Service, array_of, error_of


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    service = Service()
    yield service
    await service.close()


@pytest.mark.parametrize("scenario", GOOD, ids=lambda scenario: scenario.name)
async def test_good(service: Service, scenario: Scenario) -> None:
    response = await service.generate(scenario.request)
    assert response.status_code == 200, response.text
    check_samples(scenario, response.json()["samples"])


@pytest.mark.parametrize("scenario", GOOD + STREAMED, ids=lambda scenario: scenario.name)
async def test_good_as_a_stream(service: Service, scenario: Scenario) -> None:
    response = await service.generate(scenario.request | {"stream": True})
    assert response.status_code == 200, response.text
    events = [
        dict(line.split(": ", 1) for line in event.splitlines()) for event in response.text.split("\n\n") if event
    ]
    samples = [json.loads(event["data"]) for event in events if event["event"] == "sample"]
    check_samples(scenario, sorted(samples, key=lambda sample: int(sample["index"])))
    assert (events[0]["event"], events[-1]["event"]) == ("accepted", "done")


def check_samples(scenario: Scenario, samples: list[Any]) -> None:
    wanted = expected(scenario)
    assert [(sample["index"], sample["seed"]) for sample in samples] == [(index, seed) for index, seed, _ in wanted]
    for sample, (_, _, outputs) in zip(samples, wanted, strict=True):
        assert list(sample["outputs"]) == list(outputs)
        for name, array in outputs.items():
            np.testing.assert_array_equal(array_of(sample["outputs"][name]), array)


@pytest.mark.parametrize("scenario", BAD + STREAMED, ids=lambda scenario: scenario.name)
async def test_bad(service: Service, scenario: Scenario) -> None:
    check_refusal(service, scenario, await service.generate(scenario.request))


@pytest.mark.parametrize("scenario", BAD, ids=lambda scenario: scenario.name)
async def test_bad_as_a_stream(service: Service, scenario: Scenario) -> None:
    check_refusal(service, scenario, await service.generate(scenario.request | {"stream": True}))


def check_refusal(service: Service, scenario: Scenario, response: httpx2.Response) -> None:
    error = error_of(response)
    assert scenario.refusal is not None
    assert (error["code"], error.get("field")) == (scenario.refusal.code, scenario.refusal.field), error
    assert response.status_code == next(row.http for row in TABLE.values() if row.code == scenario.refusal.code)
    assert error["request_id"] == response.headers["x-request-id"]
    assert service.backend.submitted == []
