"""What requests ask for."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import ConfigDict, Field

from brood.loadgen.mix import Shared, read_parts
from brood.protocol.errors import InvalidArgument, invalid

Scalar = bool | int | float | str
Accept = Literal["json", "npy", "png", "safetensors"]
FILE = "@"  # in front of a file's name
COMMON = ("version", "priority", "deadline_ms", "determinism", "progress_every", "preview_every")


@dataclass(frozen=True, slots=True)
class Order:
    """One kind of request."""

    model: str
    share: float = 1.0  # of all requests, 0 … 1
    label: str = ""  # what a table calls it
    operation: str = "generate"
    n: int = 1  # samples
    seed: int | None = None  # None: another one in every request
    format: str = "raw"  # of tensors in JSON and messages
    accept: Accept = "json"  # form of the answer to the own HTTP without stream
    common: Mapping[str, Scalar] = field(default_factory=dict)  # those of `COMMON` that are given
    params: Mapping[str, Scalar] = field(default_factory=dict)
    inputs: Mapping[str, np.ndarray] = field(default_factory=dict)  # each of one sample, for all


class OrderWords(Shared):
    """A kind of request, as it is written; what is no name of these is a parameter, or @FILE an input."""

    model_config = ConfigDict(extra="allow", frozen=True, allow_inf_nan=False, protected_namespaces=())

    model: str = Field(min_length=1)
    version: int | None = Field(default=None, ge=1)
    operation: str = Field(default="generate", min_length=1)
    n: int = Field(default=1, ge=1)
    seed: int | None = Field(default=None, ge=0, lt=2**63)
    format: Literal["raw", "npy", "png"] = "raw"
    accept: Accept = "json"
    priority: Literal["interactive", "bulk"] | None = None
    deadline_ms: float | None = Field(default=None, gt=0)
    determinism: Literal["any", "exact"] | None = None
    progress_every: int | None = Field(default=None, ge=1)
    preview_every: int | None = Field(default=None, ge=1)


def read_orders(texts: Sequence[str]) -> tuple[Order, ...]:
    """Orders from texts such as ``50% model=glyphs-diffusion n=2 steps=4`` and ``50% model=glyphs-gan``.

    Raises:
        InvalidArgument: a text is not of this form, the shares do not make 100 %, or an input cannot be read.
    """
    words = read_parts(texts, OrderWords)
    return tuple(_order(each, text) for each, text in zip(words, texts, strict=True))


def _order(words: OrderWords, text: str) -> Order:
    if words.accept in ("npy", "png") and words.n > 1:
        raise invalid("requests.accept", words.accept, "json or safetensors, where n is more than 1")
    extra: Mapping[str, str] = words.model_extra or {}
    files = {name: value[1:] for name, value in extra.items() if value.startswith(FILE)}
    given = words.model_dump(include=set(COMMON), exclude_none=True)
    return Order(
        model=words.model,
        share=words.share / 100,
        label=" ".join(text.split()[1:]),
        operation=words.operation,
        n=words.n,
        seed=words.seed,
        format=words.format,
        accept=words.accept,
        common=given,
        params={name: _scalar(value) for name, value in extra.items() if name not in files},
        inputs={name: _read_input(name, Path(value)) for name, value in files.items()},
    )


def _scalar(text: str) -> Scalar:
    """A number or truth value where it reads as one in JSON, else a word."""
    try:
        value: Any = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, bool | int | float) else text


def _read_input(name: str, path: Path) -> np.ndarray:
    try:
        array: np.ndarray = np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise InvalidArgument(f"requests.{name}: {path}: {error}; allowed: an .npy file", field=name) from error
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "biuf":
        raise invalid(f"requests.{name}", str(path), "an .npy file of plain numbers")
    return array
