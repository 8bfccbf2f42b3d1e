"""What a caller asks for: the request as it is sent, and the generation it becomes once checked.

`GenerateRequest` is the body of ``POST /v1/generations`` and, field by field, the message of
``brood.v1.Generator/Generate``: it knows nothing of any model. `Generation` is what is left when the data plane has
held it against the model's manifest: complete, immutable, ready to run.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, ValidationError, model_validator

from brood.protocol.errors import InvalidArgument, invalid
from brood.protocol.manifest import DType, Scalar

Priority = Literal["interactive", "bulk"]
InputFormat = Literal["raw", "npy", "png", "wav", "flac", "text"]
OutputFormat = Literal["png", "webp", "jpeg", "wav", "flac", "mp4", "webm", "apng", "gif", "npy", "raw"]
SEED_LIMIT = 2**63
BASE64 = "base64 text (RFC 4648, with padding)"
AXES_LIMIT = 16
NAMES_LIMIT = 256
# For the schema: a default that is an object would be copied, entry by entry, for each request.
EMPTY: dict[str, JsonValue] = {"default": {}}


def _bytes_of(value: object) -> object:
    """Base64 text becomes bytes; bytes (from a binary transport) stay."""
    if isinstance(value, str):
        try:
            return base64.b64decode(value, validate=True)
        except ValueError as error:
            raise ValueError(BASE64) from error
    return value


def _few(value: object) -> object:
    """Bounds a mapping before its entries are looked at: complaining about very many costs seconds."""
    if isinstance(value, dict) and len(value) > NAMES_LIMIT:
        raise ValueError(f"at most {NAMES_LIMIT} names; {len(value)} were given")
    return value


class Asked(BaseModel):
    """Base of request parts: strict types, unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class InputValue(Asked):
    """One input: bytes with a format, or numbers, or a text.

    ``b64`` with format ``png``, ``wav``, ``flac`` or ``npy`` carries its own shape; with ``raw`` (little-endian, C
    order) ``dtype`` and ``shape`` say how to read it; with ``text`` it is UTF-8. ``data`` is a nested list of numbers.
    """

    b64: Annotated[bytes, BeforeValidator(_bytes_of)] | None = None
    data: list[Any] | float | int | bool | None = None
    text: str | None = None
    format: InputFormat | None = None
    dtype: DType | None = None
    shape: Annotated[tuple[int, ...], Field(strict=False, max_length=AXES_LIMIT, fail_fast=True)] | None = None

    @model_validator(mode="after")
    def _one_of(self) -> InputValue:
        if sum(each is not None for each in (self.b64, self.data, self.text)) != 1:
            raise ValueError("exactly one of 'b64', 'data' and 'text'")
        return self


def _worded(value: object) -> object:
    """A string is a text."""
    return {"text": value} if isinstance(value, str) else value


AnyInput = Annotated[InputValue, BeforeValidator(_worded, json_schema_input_type=InputValue | str)]


class OutputChoice(Asked):
    """How outputs are encoded in the answer.

    ``png``, ``webp`` (without loss) and ``jpeg`` are for images; ``wav`` and ``flac`` (16 bits) for audio; ``mp4``,
    ``webm``, ``webp``, ``apng`` and ``gif`` for video. Other outputs beside them are ``raw``.
    """

    format: OutputFormat | None = Field(
        default=None, description="default: png for images, wav for audio, mp4 for video, raw for other tensors"
    )
    quality: int | None = Field(
        default=None,
        ge=0,
        le=100,
        description="of jpeg, default 95; of mp4 and webm, default 66; of webp, which then loses; of no other",
    )

    @model_validator(mode="after")
    def _quality_of_what_loses(self) -> OutputChoice:
        if self.quality is not None and self.format not in ("webp", "jpeg", "mp4", "webm"):
            raise ValueError("'quality' beside format 'webp', 'jpeg', 'mp4' or 'webm' only")
        return self


class GenerateRequest(Asked):
    """A request in the caller's own words."""

    model: str = Field(min_length=1, max_length=64, examples=["glyphs-vae"])
    version: int | None = Field(default=None, ge=1, description="default: the newest one that is ready")
    operation: str = Field(default="generate", min_length=1, max_length=64)
    n: int = Field(default=1, ge=1, description="number of samples")
    seed: int | None = Field(default=None, ge=0, lt=SEED_LIMIT, description="default: drawn, and reported")
    index: int = Field(default=0, ge=0, lt=2**53, description="index of the first sample")
    params: Annotated[dict[str, bool | int | float | str], BeforeValidator(_few)] = Field(
        default_factory=dict, examples=[{"label": 7}], json_schema_extra=EMPTY
    )
    inputs: Annotated[dict[str, AnyInput], BeforeValidator(_few)] = Field(default_factory=dict, json_schema_extra=EMPTY)
    output: OutputChoice = OutputChoice()
    deadline_ms: float | None = Field(default=None, gt=0, le=86_400_000, description="from arrival, in ms")
    priority: Priority = Field(default="interactive", description="bulk: may wait for whoever is interactive")
    determinism: Literal["any", "exact"] = Field(
        default="any", description="exact: bit for bit reproducible, or refused"
    )
    progress_every: int | None = Field(default=None, ge=1, description="tell progress after every so many steps")
    preview_every: int | None = Field(default=None, ge=1, description="preview of each sample every so many steps")


@dataclass(frozen=True, slots=True)
class Generation:
    """A request that has been held against its model: n rows to make."""

    request_id: str
    model: str
    version: int
    operation: str
    n: int  # rows
    seed: int  # 0 ≤ seed < 2⁶³
    index: int  # of the first row
    params: Mapping[str, Scalar]  # every parameter of the operation, defaults filled in
    # Every input of the operation, each [n, *shape], its declared dtype. A text is uint8 [n, bytes], its UTF-8, until a
    # host makes tokens of it, and a mask if there is one.
    inputs: Mapping[str, np.ndarray]
    deadline: float | None  # on the engine's clock, in seconds
    priority: Priority = "interactive"
    tenant: str = ""  # on whose behalf; tenants share the device fairly
    exact: bool = False  # only at batch sizes that are certified to give the same bits
    progress_every: int | None = None  # steps
    preview_every: int | None = None  # steps
    part_of: str = ""  # id of the request that this is a part of; empty: it is all of it

    @property
    def caller_id(self) -> str:
        """The id under which the caller knows the request, for logs."""
        return self.part_of or self.request_id


def complaint(error: ValidationError, kind: type[GenerateRequest] = GenerateRequest) -> InvalidArgument:
    """The first thing pydantic found wrong with a request, in our own form: field, value, what is allowed.

    Args:
        error: what it found.
        kind: the class of request; a transport may have fields of its own.
    """
    first = error.errors(include_url=False)[0]
    path = _path(first["loc"])
    field = ".".join(path)
    if first["type"] == "json_invalid":
        reason = first["msg"].removeprefix("Invalid JSON: ")
        return InvalidArgument(f"the body is not valid JSON: {reason}; allowed: one JSON object")
    if first["type"] == "extra_forbidden":
        return InvalidArgument(f"{field}: unknown field; allowed: {', '.join(_known(path, kind))}", field=field)
    if first["type"] == "missing":
        return InvalidArgument(f"{field}: missing; this field is required", field=field)
    return invalid(field or "body", first["input"], _allowed(path, first["type"], first["msg"], first.get("ctx", {})))


# How deep into a request its own words go; further parts of a location are pydantic's (branches of unions, validators).
DEPTHS = {"params": 2, "inputs": 3, "output": 2}
NUMBER_ERRORS = ("int_", "float_", "finite_number", "greater_than", "less_than")
LOW, HIGH = {"ge": "≤", "gt": "<"}, {"lt": "<", "le": "≤"}  # bounds as annotated_types calls them
ALLOWED = {
    "bool_type": "true or false",
    "string_type": "a string",
    "string_too_short": "a string of at least {min_length} character",
    "string_too_long": "a string of at most {max_length} characters",
    "bytes_type": BASE64,
    "literal_error": "{expected}",
    "dict_type": "an object",
    "model_type": "an object",
}


def _path(location: tuple[int | str, ...]) -> tuple[str, ...]:
    """The part of a location that the caller wrote."""
    parts = tuple(str(part) for part in location)
    return parts[: DEPTHS.get(parts[0], 1)] if parts else ()


def _known(path: tuple[str, ...], kind: type[GenerateRequest]) -> list[str]:
    """The fields there are beside an unknown one."""
    beside: dict[tuple[str, int], type[Asked]] = {("inputs", 3): InputValue, ("output", 2): OutputChoice}
    return list(beside.get((path[0], len(path)), kind).model_fields)


def _allowed(path: tuple[str, ...], kind: str, reason: str, context: dict[str, Any]) -> str:
    if path[:1] == ("params",) and len(path) == 2:
        return "a finite number, true, false, or a string"
    if path[:1] == ("inputs",) and path[2:] == ("data",):
        return "a finite number, or nested lists of numbers"
    if path[:1] == ("inputs",) and path[2:] == ("shape",):
        return f"a list of at most {AXES_LIMIT} whole numbers"
    if kind.startswith(NUMBER_ERRORS):
        return _range(path)
    return ALLOWED[kind].format(**context) if kind in ALLOWED else reason.removeprefix("Value error, ")


def _range(path: tuple[str, ...]) -> str:
    """What a number of the request may be: ``an integer, 0 ≤ seed < 9223372036854775808``."""
    name = path[-1]
    info = (OutputChoice if path[0] == "output" else GenerateRequest).model_fields[name]
    low = [f"{getattr(part, key)} {sign} " for part in info.metadata for key, sign in LOW.items() if hasattr(part, key)]
    high = [
        f" {sign} {getattr(part, key)}" for part in info.metadata for key, sign in HIGH.items() if hasattr(part, key)
    ]
    return "".join(["a number, " if "float" in str(info.annotation) else "an integer, ", *low, name, *high])
