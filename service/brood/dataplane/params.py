"""Parameters: every one of the operation, of its declared type and in its range, defaults filled in."""

from __future__ import annotations

import math
from collections.abc import Mapping

from brood.dataplane.naming import unknown
from brood.protocol.errors import InvalidArgument, invalid, show
from brood.protocol.manifest import Param, Scalar

INT64 = 2**63
FLOAT32_MAX = 3.4028234663852886e38  # graphs take float32: a larger number would become infinite

KINDS: Mapping[str, str] = {"int": "an integer", "float": "a finite number", "bool": "true or false", "str": "a string"}


def check_params(declared: Mapping[str, Param], given: Mapping[str, Scalar]) -> dict[str, Scalar]:
    """Hold parameters against their declarations.

    Integers are taken for floats; nothing else is converted: ``7.0`` is no integer, ``true`` no number.

    Raises:
        InvalidArgument: naming ``params.NAME``, the value and what is allowed.
    """
    for name in given:
        if name not in declared:
            raise InvalidArgument(unknown(f"params.{name}", name, declared), field=f"params.{name}")
    return {name: _value(name, param, given) for name, param in declared.items()}


def _value(name: str, param: Param, given: Mapping[str, Scalar]) -> Scalar:
    if name not in given:
        if param.default is None:
            text = f"params.{name}: missing; this parameter has no default; allowed: {allowed(param)}"
            raise InvalidArgument(text, field=f"params.{name}")
        return param.default
    value = given[name]
    if value in param.alternatives or not (_typed(param, value) and _in_range(param, value)):
        raise _refusal(f"params.{name}", param, value)
    return float(value) if param.type == "float" else value


def _refusal(field: str, param: Param, value: Scalar) -> InvalidArgument:
    if isinstance(value, str) and value in param.alternatives:
        text = f"{field}: {show(value)} is not offered; use {param.alternatives[value]}; allowed: {allowed(param)}"
        return InvalidArgument(text, field=field)
    return invalid(field, value, allowed(param))


def _typed(param: Param, value: Scalar) -> bool:
    if param.type == "float":
        # The comparison is false for NaN, too.
        return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= FLOAT32_MAX
    if param.type == "int":
        return type(value) is int and -INT64 <= value < INT64
    return type(value) is (bool if param.type == "bool" else str)


def _in_range(param: Param, value: Scalar) -> bool:
    if param.choices is not None:
        return value in param.choices
    if isinstance(value, str | bool):
        return True
    low = -math.inf if param.minimum is None else param.minimum
    high = math.inf if param.maximum is None else param.maximum
    return low <= value <= high


def allowed(param: Param) -> str:
    """What a parameter may be, in words."""
    if param.choices is not None:
        return "one of " + ", ".join(show(choice) for choice in param.choices)
    low, high = ("" if bound is None else f"{bound:.17g}" for bound in (param.minimum, param.maximum))
    span = {(True, True): f" from {low} to {high}", (True, False): f" from {low} on", (False, True): f" up to {high}"}
    return KINDS[param.type] + span.get((bool(low), bool(high)), "")
