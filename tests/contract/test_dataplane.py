"""The scenarios over the data plane in this process."""

from __future__ import annotations

import json

import numpy as np
import pytest
from pydantic import ValidationError

from brood.dataplane import DataPlane, Limits, Result
from brood.protocol.errors import BroodError, row_of
from brood.protocol.requests import GenerateRequest, complaint
from contract.scenarios import BAD, GOOD, Scenario, expected
from helpers.backend import FakeBackend
from helpers.observer import FakeObserver


async def collect(scenario: Scenario) -> Result:
    try:
        request = GenerateRequest.model_validate_json(json.dumps(scenario.request))
    except ValidationError as error:
        raise complaint(error) from error
    plane = DataPlane(FakeBackend(), Limits(), FakeObserver())
    try:
        return await plane.collect(request, "an-id")
    finally:
        plane.close()


@pytest.mark.parametrize("scenario", GOOD, ids=lambda scenario: scenario.name)
async def test_good(scenario: Scenario) -> None:
    result = await collect(scenario)
    wanted = expected(scenario)
    assert [(sample.index, sample.seed) for sample in result.samples] == [(index, seed) for index, seed, _ in wanted]
    for sample, (_, _, outputs) in zip(result.samples, wanted, strict=True):
        assert list(sample.outputs) == list(outputs)
        for name, array in outputs.items():
            np.testing.assert_array_equal(sample.outputs[name], array)


@pytest.mark.parametrize("scenario", BAD, ids=lambda scenario: scenario.name)
async def test_bad(scenario: Scenario) -> None:
    with pytest.raises(BroodError) as caught:
        await collect(scenario)
    assert scenario.refusal is not None
    assert (row_of(caught.value).code, caught.value.field) == (scenario.refusal.code, scenario.refusal.field)
