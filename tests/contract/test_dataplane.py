"""The scenarios over the data plane in this process."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence

import numpy as np
import pytest
from pydantic import ValidationError

from brood.dataplane import DataPlane, Limits
from brood.protocol.errors import BroodError, row_of
from brood.protocol.events import Event, Sample
from brood.protocol.requests import GenerateRequest, complaint
from contract.scenarios import BAD, GOOD, STREAMED, Scenario, expected
from helpers.backend import FakeBackend
from helpers.observer import FakeObserver


@pytest.fixture
async def plane() -> AsyncIterator[DataPlane]:
    plane = DataPlane(FakeBackend(), Limits(), FakeObserver())
    yield plane
    plane.close()


def read(scenario: Scenario) -> GenerateRequest:
    try:
        return GenerateRequest.model_validate_json(json.dumps(scenario.request))
    except ValidationError as error:
        raise complaint(error) from error


async def collect(plane: DataPlane, scenario: Scenario) -> Sequence[Sample]:
    return (await plane.collect(read(scenario), "an-id")).samples


async def stream(plane: DataPlane, scenario: Scenario) -> Sequence[Sample]:
    events: list[Event] = [event async for event in plane.generate(read(scenario), "an-id")]
    return sorted((event for event in events if isinstance(event, Sample)), key=lambda sample: sample.index)


def check_samples(scenario: Scenario, samples: Sequence[Sample]) -> None:
    wanted = expected(scenario)
    assert [(sample.index, sample.seed) for sample in samples] == [(index, seed) for index, seed, _ in wanted]
    for sample, (_, _, outputs) in zip(samples, wanted, strict=True):
        assert list(sample.outputs) == list(outputs)
        for name, array in outputs.items():
            np.testing.assert_array_equal(sample.outputs[name], array)


def check_refusal(scenario: Scenario, error: BroodError) -> None:
    assert scenario.refusal is not None
    assert (row_of(error).code, error.field) == (scenario.refusal.code, scenario.refusal.field)


@pytest.mark.parametrize("scenario", GOOD, ids=lambda scenario: scenario.name)
async def test_good(plane: DataPlane, scenario: Scenario) -> None:
    check_samples(scenario, await collect(plane, scenario))


@pytest.mark.parametrize("scenario", GOOD + STREAMED, ids=lambda scenario: scenario.name)
async def test_good_as_a_stream(plane: DataPlane, scenario: Scenario) -> None:
    check_samples(scenario, await stream(plane, scenario))


@pytest.mark.parametrize("scenario", BAD + STREAMED, ids=lambda scenario: scenario.name)
async def test_bad(plane: DataPlane, scenario: Scenario) -> None:
    with pytest.raises(BroodError) as caught:
        await collect(plane, scenario)
    check_refusal(scenario, caught.value)


@pytest.mark.parametrize("scenario", BAD, ids=lambda scenario: scenario.name)
async def test_bad_as_a_stream(plane: DataPlane, scenario: Scenario) -> None:
    with pytest.raises(BroodError) as caught:
        await stream(plane, scenario)
    check_refusal(scenario, caught.value)
