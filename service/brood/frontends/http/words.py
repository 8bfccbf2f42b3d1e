"""Standard protocols' JSON as classes: reading it, and complaining in our own form."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from brood.frontends.http.body import check_parts
from brood.protocol.errors import InvalidArgument, invalid
from brood.protocol.requests import NAMES_LIMIT


class Words(BaseModel):
    """Base of what is sent: strict types, unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


Kind = TypeVar("Kind", bound=Words)


def few(value: object) -> object:
    """Bounds a list or mapping before its entries are looked at: complaining about very many costs seconds."""
    if isinstance(value, dict | list) and len(value) > NAMES_LIMIT:
        raise ValueError(f"at most {NAMES_LIMIT} entries; {len(value)} were given")
    return value


def read_words(kind: type[Kind], body: bytes) -> Kind:
    """A JSON object in the words of a call.

    Raises:
        InvalidArgument: naming field, value and what is allowed.
        PayloadTooLarge: too many numbers or names for JSON.
    """
    check_parts(body)
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        raise complaint(error) from error


def read_fields(kind: type[Kind], fields: dict[str, Any]) -> Kind:
    """The same for a body that has been taken apart already."""
    try:
        return kind.model_validate(fields)
    except ValidationError as error:
        raise complaint(error) from error


def complaint(error: ValidationError) -> InvalidArgument:
    """The first thing that is wrong, in our own form."""
    first = error.errors(include_url=False)[0]
    field = ".".join(str(part) for part in first["loc"][:4]) or "body"
    if first["type"] == "json_invalid":
        reason = first["msg"].removeprefix("Invalid JSON: ")
        return InvalidArgument(f"the body is not valid JSON: {reason}; allowed: one JSON object")
    if first["type"] == "extra_forbidden":
        return InvalidArgument(f"{field}: unknown field; allowed: those of the protocol", field=field)
    if first["type"] == "missing":
        return InvalidArgument(f"{field}: missing; this field is required", field=field)
    if "parameters" in first["loc"][:-1]:
        return invalid(_parameter(first["loc"]), first["input"], "a finite number, true, false, or a string")
    return invalid(field, first["input"], first["msg"].removeprefix("Value error, ").removeprefix("Input should be "))


def _parameter(location: tuple[int | str, ...]) -> str:
    """The part of a location that the caller wrote; what follows is which type was tried."""
    parts = [str(part) for part in location]
    return ".".join(parts[: parts.index("parameters") + 2])
