"""What a caller asks for: the request as it is sent, and the generation it becomes once checked.

`GenerateRequest` is the body of ``POST /v1/generations`` and, field by field, the message of
``brood.v1.Generator/Generate``: it knows nothing of any model. `Generation` is what is left when the data plane has
held it against the model's manifest: complete, immutable, ready to run.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from brood.protocol.errors import InvalidArgument, show
from brood.protocol.manifest import DType, Scalar

SEED_LIMIT = 2**63
OUTPUT_FORMATS = ("png", "npy", "raw")


def _bytes_of(value: object) -> object:
    """Base64 text becomes bytes; bytes (from a binary transport) stay."""
    if isinstance(value, str):
        try:
            return base64.b64decode(value, validate=True)
        except binascii.Error as error:
            raise ValueError("is not base64 (RFC 4648, with padding)") from error
    return value


class Asked(BaseModel):
    """Base of request parts: strict types, unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class InputValue(Asked):
    """One input: bytes with a format, or numbers.

    ``b64`` with format ``png`` or ``npy`` carries its own shape; with ``raw`` (little-endian, C order) ``dtype`` and
    ``shape`` say how to read it. ``data`` is a nested list of numbers.
    """

    b64: Annotated[bytes, BeforeValidator(_bytes_of)] | None = None
    data: list[Any] | float | int | bool | None = None
    format: Literal["raw", "npy", "png"] | None = None
    dtype: DType | None = None
    shape: Annotated[tuple[int, ...], Field(strict=False)] | None = None

    @model_validator(mode="after")
    def _one_of(self) -> InputValue:
        if (self.b64 is None) == (self.data is None):
            raise ValueError("give exactly one of 'b64' and 'data'")
        return self


class OutputChoice(Asked):
    """How image outputs are encoded in the answer; other outputs are ``raw`` under ``png``."""

    format: Literal["png", "npy", "raw"] = "png"


class GenerateRequest(Asked):
    """A request in the caller's own words."""

    model: str = Field(min_length=1, max_length=64, examples=["glyphs-vae"])
    version: int | None = Field(default=None, ge=1, description="default: the newest one that is ready")
    operation: str = Field(default="generate", min_length=1, max_length=64)
    n: int = Field(default=1, ge=1, description="number of samples")
    seed: int | None = Field(default=None, ge=0, lt=SEED_LIMIT, description="default: drawn, and reported")
    index: int = Field(default=0, ge=0, lt=2**53, description="index of the first sample")
    params: dict[str, bool | int | float | str] = Field(default={}, examples=[{"label": 7}])
    inputs: dict[str, InputValue] = {}
    output: OutputChoice = OutputChoice()
    deadline_ms: float | None = Field(default=None, gt=0, le=86_400_000, description="from arrival, in ms")


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
    inputs: Mapping[str, np.ndarray]  # every input of the operation, each [n, *shape], its declared dtype
    deadline: float | None  # on the engine's clock, in seconds


def complaint(error: ValidationError) -> InvalidArgument:
    """The first thing pydantic found wrong, in our own form: field, value, what is allowed."""
    first = error.errors(include_url=False)[0]
    field = ".".join(str(part) for part in first["loc"] if not _is_branch(str(part)))
    reason = first["msg"].removeprefix("Value error, ")
    if first["type"] == "json_invalid":
        return InvalidArgument(f"the body is not valid JSON: {reason}", field=field or None)
    if first["type"] == "extra_forbidden":
        allowed = ", ".join(GenerateRequest.model_fields)
        return InvalidArgument(f"{field}: unknown field; known fields of the request: {allowed}", field=field)
    if first["type"] == "missing":
        return InvalidArgument(f"{field}: missing; this field is required", field=field)
    return InvalidArgument(f"{field or 'body'}: {show(first['input'])} is not allowed; {reason}", field=field or None)


def _is_branch(part: str) -> bool:
    """Whether a location part names a branch of a union or a validator, which callers never wrote."""
    return part in {"bool", "int", "float", "str", "constrained-str"} or "[" in part
