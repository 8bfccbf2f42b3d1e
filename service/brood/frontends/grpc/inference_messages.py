"""Between messages of the Open Inference Protocol and its calls, answers and documents."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import numpy as np
from google.protobuf.json_format import ParseDict
from google.protobuf.message import Message

from brood.frontends.oip import Asked, InferAnswer, InferCall, Tensor, version_of
from brood.frontends.oip.calls import Parameter
from brood.frontends.oip.controls import refuse_shared_memory
from brood.frontends.oip.tensors import from_raw, from_values, to_raw
from brood.protocol.errors import InvalidArgument, invalid
from brood.protocol.wire import inference_pb2 as pb

# Which of the lists has the elements of which datatype, and numpy's dtype for it; the others travel as bytes only.
LISTS: Mapping[str, tuple[str, str]] = {
    "BOOL": ("bool_contents", "bool"),
    **{f"INT{bits}": ("int_contents", "int32") for bits in (8, 16, 32)},
    "INT64": ("int64_contents", "int64"),
    **{f"UINT{bits}": ("uint_contents", "uint32") for bits in (8, 16, 32)},
    "UINT64": ("uint64_contents", "uint64"),
    "FP32": ("fp32_contents", "float32"),
    "FP64": ("fp64_contents", "float64"),
    "BYTES": ("bytes_contents", "object"),
}
LISTED_S = 100e-9  # reading one element of a list; measured on one core of a 2-core x86 machine, as is the next
BYTE_S = 2e-9  # building a message and serializing it
Kind = TypeVar("Kind", bound=Message)


def call_s(request: pb.ModelInferRequest) -> float:
    """Predicted seconds of `call_of`: elements in lists are read one by one, raw ones are left where they are."""
    return LISTED_S * sum(math.prod(tensor.shape) for tensor in request.inputs if tensor.HasField("contents"))


def call_of(request: pb.ModelInferRequest) -> InferCall:
    """What a message asks for.

    Raises:
        InvalidArgument: naming field, value and what is allowed.
    """
    if not request.model_name:
        raise invalid("model", "", "a string of at least 1 character")
    return InferCall(
        model=request.model_name,
        version=version_of(request.model_version),
        id=request.id,
        parameters=_parameters("parameters", request.parameters),
        inputs=tuple(_inputs(request)),
        outputs=tuple(
            Asked(output.name, _parameters(f"outputs.{output.name}.parameters", output.parameters))
            for output in request.outputs
        ),
    )


def answer_s(size: int) -> float:
    """Predicted seconds of `answer_message`, and its serialization, for outputs of so many bytes."""
    return BYTE_S * size


def answer_message(answer: InferAnswer) -> pb.ModelInferResponse:
    """An answer; all of its elements are raw."""
    return pb.ModelInferResponse(
        model_name=answer.model,
        model_version=str(answer.version),
        id=answer.id,
        parameters={name: _parameter(value) for name, value in answer.parameters.items()},
        outputs=[
            pb.ModelInferResponse.InferOutputTensor(name=each.name, datatype=each.datatype, shape=each.shape)
            for each in answer.outputs
        ],
        raw_output_contents=[bytes(to_raw(each)) for each in answer.outputs],
    )


def document_message(kind: type[Kind], document: Mapping[str, Any]) -> Kind:
    """A document of the protocol, whose JSON body has the message's own fields, as that message."""
    return ParseDict(dict(document), kind())


def _inputs(request: pb.ModelInferRequest) -> Iterable[Tensor]:
    for tensor in request.inputs:
        field = f"inputs.{tensor.name}"
        refuse_shared_memory(field, _parameters(f"{field}.parameters", tensor.parameters))
    raw = request.raw_input_contents
    if not raw:
        return [_listed(tensor) for tensor in request.inputs]
    if len(raw) != len(request.inputs):
        text = f"{len(raw)} raw contents for {len(request.inputs)} inputs are not allowed; allowed: one for each"
        raise InvalidArgument(f"raw_input_contents: {text}, or none at all", field="raw_input_contents")
    return [_raw(tensor, content) for tensor, content in zip(request.inputs, raw, strict=True)]


def _raw(tensor: pb.ModelInferRequest.InferInputTensor, content: bytes) -> Tensor:
    field = f"inputs.{tensor.name}"
    if tensor.HasField("contents"):
        raise InvalidArgument(f"{field}.contents: given as well; allowed: not beside raw contents", field=field)
    return from_raw(tensor.name, tensor.datatype, tuple(tensor.shape), content)


def _listed(tensor: pb.ModelInferRequest.InferInputTensor) -> Tensor:
    """A tensor from the list of its datatype; the other lists must be empty."""
    name, dtype = LISTS.get(tensor.datatype, ("", "object"))
    for found, _ in tensor.contents.ListFields():
        if found.name != name and name:
            raise invalid(f"inputs.{tensor.name}.contents", found.name, f"{name} for {tensor.datatype}")
    values = getattr(tensor.contents, name) if name else ()
    array: Any = list(values) if dtype == "object" else np.fromiter(values, dtype, len(values))
    return from_values(tensor.name, tensor.datatype, tuple(tensor.shape), array)


def _parameters(field: str, given: Mapping[str, pb.InferParameter]) -> dict[str, Parameter]:
    found: dict[str, Parameter] = {}
    for name, value in given.items():
        kind = value.WhichOneof("parameter_choice")
        if kind is None:
            raise invalid(f"{field}.{name}", None, "a number, a truth value, or a word")
        found[name] = getattr(value, kind)
    return found


def _parameter(value: Parameter) -> pb.InferParameter:
    if isinstance(value, bool):
        return pb.InferParameter(bool_param=value)
    if isinstance(value, int):
        return pb.InferParameter(int64_param=value)
    if isinstance(value, float):
        return pb.InferParameter(double_param=value)
    return pb.InferParameter(string_param=value)
