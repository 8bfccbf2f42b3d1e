"""Calls as they are sent: JSON, then perhaps the bytes of tensors ("Binary Tensor Data Extension")."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, Field
from starlette.datastructures import Headers

from brood.frontends.http.words import Words, few, read_words
from brood.frontends.oip import Asked, InferCall, Tensor
from brood.frontends.oip.controls import refuse_shared_memory
from brood.frontends.oip.tensors import from_raw, from_values
from brood.protocol.errors import InvalidArgument, invalid

HEADER_LENGTH = "Inference-Header-Content-Length"  # bytes of the JSON part
BINARY, BINARY_SIZE, ALL_BINARY = "binary_data", "binary_data_size", "binary_data_output"

Parameters = Annotated[dict[str, bool | int | float | str], BeforeValidator(few)]


class InputWords(Words):
    """A tensor of a call."""

    name: str = Field(min_length=1, max_length=256)
    shape: list[int]
    datatype: str
    parameters: Parameters = Field(default={})
    data: Any = None


class OutputWords(Words):
    """An output that is asked for."""

    name: str = Field(min_length=1, max_length=256)
    parameters: Parameters = Field(default={})


class InferWords(Words):
    """The JSON part of a call."""

    id: str = Field(default="", max_length=1024)
    # KServe's clients say again what the address says.
    model_name: str | None = None
    model_version: str | None = None
    parameters: Parameters = Field(default={})
    inputs: Annotated[list[InputWords], BeforeValidator(few)] = Field(default=[])
    outputs: Annotated[list[OutputWords], BeforeValidator(few)] = Field(default=[])


class GenerateWords(Words):
    """A flat call; its further keys are inputs and parameters."""

    model_config = ConfigDict(extra="allow")

    id: str = Field(default="", max_length=1024)
    parameters: Parameters = Field(default={})


class IndexWords(Words):
    """What to list of a repository."""

    ready: bool = False


class RepositoryWords(Words):
    """How to load or unload a model."""

    parameters: Annotated[dict[str, Any], BeforeValidator(few)] = Field(default={})


@dataclass(frozen=True, slots=True)
class HttpCall:
    """A call, and which of its outputs are wanted as bytes."""

    call: InferCall
    binary: frozenset[str]  # names
    all_binary: bool  # also those of outputs that nothing is said about

    def wants_bytes(self, name: str) -> bool:
        """Whether an output goes out as bytes."""
        return name in self.binary or (self.all_binary and name not in {asked.name for asked in self.call.outputs})


def read_call(headers: Headers, body: bytes, model: str, version: int | None) -> HttpCall:
    """A whole body as a call.

    Raises:
        InvalidArgument: naming field, value and what is allowed.
        PayloadTooLarge: too many numbers or names for JSON.
        Unsupported: it wants shared memory.
    """
    end = _header_length(headers, len(body))
    words = read_words(InferWords, body[:end])
    call = InferCall(
        model=model,
        version=version,
        id=words.id,
        parameters=words.parameters,
        inputs=tuple(_tensors(words.inputs, memoryview(body)[end:])),
        outputs=tuple(Asked(output.name, output.parameters) for output in words.outputs),
    )
    all_binary = _flag("parameters", words.parameters, ALL_BINARY, False)
    flags = {asked.name: _flag(f"outputs.{asked.name}", asked.parameters, BINARY, all_binary) for asked in call.outputs}
    return HttpCall(call, frozenset(name for name, flag in flags.items() if flag), all_binary)


def _header_length(headers: Headers, size: int) -> int:
    given = headers.get(HEADER_LENGTH)
    if given is None:
        return size
    if not (given.isascii() and given.isdecimal() and len(given) < 19) or int(given) > size:
        raise invalid(HEADER_LENGTH, given, f"bytes of JSON, 0 to {size}, which is how long the body is")
    return int(given)


def _tensors(inputs: list[InputWords], content: memoryview) -> list[Tensor]:
    """All tensors; those that are bytes follow one another in their order.

    Raises:
        InvalidArgument: the bytes end too early, or some are left over.
    """
    tensors, place = [], 0
    for words in inputs:
        refuse_shared_memory(f"inputs.{words.name}", words.parameters)
        size = words.parameters.get(BINARY_SIZE)
        if size is None:
            tensors.append(from_values(words.name, words.datatype, words.shape, _values(words)))
            continue
        field = f"inputs.{words.name}.parameters.{BINARY_SIZE}"
        left = len(content) - place
        if type(size) is not int or not 0 <= size <= left:
            raise invalid(field, size, f"0 to {left}, which is how many bytes are left in the body")
        if words.data is not None:
            raise InvalidArgument(f"{field}: given beside 'data'; allowed: one of the two", field=field)
        tensors.append(from_raw(words.name, words.datatype, words.shape, content[place : place + size]))
        place += size
    if place < len(content):
        text = f"{HEADER_LENGTH}: {len(content) - place} bytes follow that belong to no input; allowed: none"
        raise InvalidArgument(text, field=HEADER_LENGTH)
    return tensors


def _values(words: InputWords) -> Any:
    if words.data is None:
        field = f"inputs.{words.name}.data"
        raise InvalidArgument(f"{field}: missing; allowed: values, or bytes with {BINARY_SIZE}", field=field)
    return words.data


def _flag(field: str, parameters: Mapping[str, object], name: str, default: bool) -> bool:
    value = parameters.get(name, default)
    if not isinstance(value, bool):
        raise invalid(f"{field}.{name}", value, "true or false")
    return value
