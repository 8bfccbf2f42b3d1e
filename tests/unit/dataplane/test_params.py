from __future__ import annotations

import math
from typing import Any

import pytest

from brood.dataplane.params import allowed, check_params
from brood.protocol.errors import InvalidArgument
from brood.protocol.manifest import Param, Scalar


def param(kind: str, default: object = None, **rest: Any) -> Param:
    return Param.model_validate({"type": kind, "default": default, "description": "", **rest})


DECLARED = {
    "label": param("int", -1, minimum=-1, maximum=9),
    "temperature": param("float", 1.0, minimum=0.0),
    "flip": param("bool", False),
    "style": param("str", "thin", choices=("thin", "bold"), alternatives={"italic": "thin: no slant was learnt"}),
    "mode": param("str", "fast", alternatives={"slow": "fast: it is as good"}),
}


def test_defaults_are_filled_in() -> None:
    defaults = {"label": -1, "temperature": 1.0, "flip": False, "style": "thin", "mode": "fast"}
    assert check_params(DECLARED, {}) == defaults


def test_given_values_replace_defaults() -> None:
    given: dict[str, Scalar] = {"label": 9, "temperature": 0.25, "flip": True, "style": "bold", "mode": "any"}
    assert check_params(DECLARED, given) == given


def test_an_integer_is_a_float() -> None:
    value = check_params(DECLARED, {"temperature": 3})["temperature"]
    assert (value, type(value)) == (3.0, float)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("label", 10, "an integer from -1 to 9"),
        ("label", -2, "an integer from -1 to 9"),
        ("label", 7.0, "an integer from -1 to 9"),
        ("label", True, "an integer from -1 to 9"),
        ("label", "7", "an integer from -1 to 9"),
        ("temperature", -0.5, "a finite number from 0 on"),
        ("temperature", math.nan, "a finite number from 0 on"),
        ("temperature", math.inf, "a finite number from 0 on"),
        ("temperature", 1e39, "a finite number from 0 on"),
        ("temperature", 10**400, "a finite number from 0 on"),
        ("temperature", False, "a finite number from 0 on"),
        ("flip", 1, "true or false"),
        ("style", "wide", 'one of "thin", "bold"'),
        ("style", 1, 'one of "thin", "bold"'),
    ],
)
def test_what_is_not_allowed_is_said(name: str, value: Any, words: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        check_params(DECLARED, {name: value})
    assert caught.value.field == f"params.{name}"
    assert caught.value.message.endswith(f"allowed: {words}")


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        (
            "style",
            "italic",
            '"italic" is not offered; use thin: no slant was learnt; allowed: one of "thin", "bold"',
        ),
        ("mode", "slow", '"slow" is not offered; use fast: it is as good; allowed: a string'),
    ],
)
def test_a_well_known_value_that_is_not_offered_has_an_alternative(name: str, value: str, message: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        check_params(DECLARED, {name: value})
    assert (caught.value.field, caught.value.message) == (f"params.{name}", f"params.{name}: {message}")


def test_integers_fit_into_64_bits() -> None:
    free = {"count": param("int", 0)}
    assert check_params(free, {"count": 2**63 - 1}) == {"count": 2**63 - 1}
    with pytest.raises(InvalidArgument):
        check_params(free, {"count": 2**63})


def test_a_parameter_without_a_default_must_be_given() -> None:
    with pytest.raises(InvalidArgument, match=r"params\.steps: missing.*an integer up to 8"):
        check_params({"steps": param("int", maximum=8)}, {})


def test_unknown_parameters_are_named_with_what_was_meant() -> None:
    with pytest.raises(InvalidArgument) as caught:
        check_params(DECLARED, {"lable": 3})
    assert caught.value.field == "params.lable"
    assert 'did you mean "label"?' in caught.value.message
    assert "label, temperature, flip, style, mode" in caught.value.message


def test_true_is_not_the_choice_1() -> None:
    with pytest.raises(InvalidArgument):
        check_params({"size": param("int", 1, choices=(1, 2))}, {"size": True})


def test_a_float_parameter_without_bounds() -> None:
    assert allowed(param("float", 0.0)) == "a finite number"
