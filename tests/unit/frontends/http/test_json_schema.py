from __future__ import annotations

from typing import Any

import pytest
from jsonschema import Draft202012Validator

from brood.frontends.http.json_schema import operation_schema
from contract.scenarios import BAD, GOOD, Scenario
from helpers.backend import manifest
from helpers.http import Service

OPERATIONS = manifest().operations
# What a schema of these two fields can say of them; shapes and dtypes inside of bytes it cannot.
SAID = ("params.label", "params.temperature", "params.flip", "params.style", "params.steps", "params.sampler")


def validator(operation: str) -> Draft202012Validator:
    schema = operation_schema(OPERATIONS[operation])
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def parts_of(scenario: Scenario) -> tuple[str, dict[str, Any]]:
    request = scenario.request
    return request.get("operation", "generate"), {key: request[key] for key in ("params", "inputs") if key in request}


@pytest.mark.parametrize("scenario", GOOD, ids=lambda scenario: scenario.name)
def test_what_is_served_is_valid(scenario: Scenario) -> None:
    operation, parts = parts_of(scenario)
    validator(operation).validate(parts)


@pytest.mark.parametrize(
    "scenario",
    [
        scenario
        for scenario in BAD
        if scenario.refusal is not None
        and scenario.refusal.field in SAID
        and scenario.name not in ("label with a decimal point", "temperature NaN", "more steps than the schedule has")
    ],
    ids=lambda scenario: scenario.name,
)
def test_what_is_refused_is_not(scenario: Scenario) -> None:
    operation, parts = parts_of(scenario)
    assert not validator(operation).is_valid(parts)


@pytest.mark.parametrize(
    "known",
    [
        {"data": [[1, 2], [3, 4]]},
        {"data": [[1, 2, 3]]},
        {"data": [[1, 2, 3.5], [4, 5, 6]]},
        {"data": [[1, 2, 3], [4, 5, 6]], "b64": "AA==", "format": "raw"},
        {"b64": "AA=="},
        {"b64": "AA==", "format": "png"},
        {"b64": "AA==", "format": "raw", "dtype": "float32"},
        {},
    ],
)
def test_inputs_that_are_not_valid(known: dict[str, Any]) -> None:
    assert not validator("complete").is_valid({"params": {"steps": 1}, "inputs": {"known": known}})


async def test_a_model_publishes_the_schema_of_every_operation(service: Service) -> None:
    operations = (await service.client.get("/v1/models/tiny")).json()["operations"]
    for name, view in operations.items():
        Draft202012Validator.check_schema(view["schema"])
        assert set(view["schema"]["properties"]) == {"params", "inputs"}
        assert list(view["schema"]["properties"]["params"]["properties"]) == list(OPERATIONS[name].params)
    assert operations["generate"]["schema"]["properties"]["params"]["properties"]["style"] == {
        "type": "string",
        "description": "a parameter of type str",
        "default": "thin",
        "enum": ["thin", "bold"],
    }
    assert operations["complete"]["schema"]["required"] == ["params", "inputs"]
