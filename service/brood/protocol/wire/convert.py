"""Between messages and plain Python values. Needs protobuf alone, so that servers and clients share it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from brood.protocol.wire.generator_pb2 import GenerateRequest, OutputChoice, Tensor, Value

Plain = bool | int | float | str


def value_of(plain: Plain) -> Value:
    """A scalar as a message.

    Raises:
        TypeError: it is no scalar.
        ValueError: an integer that does not fit into 64 bits with sign.
    """
    if isinstance(plain, bool):
        return Value(bool_value=plain)
    if isinstance(plain, int):
        return Value(int_value=plain)
    if isinstance(plain, float):
        return Value(double_value=plain)
    return Value(string_value=plain)


def plain_of(value: Value) -> Plain | None:
    """The scalar in a message; None if none is set."""
    kind = value.WhichOneof("kind")
    return None if kind is None else getattr(value, kind)


def request_fields(message: GenerateRequest) -> dict[str, Any]:
    """A request as the fields of the JSON body it mirrors (bytes stay bytes); what is not set is left out."""
    return {field.name: _PARTS.get(field.name, _same)(value) for field, value in message.ListFields()}


def request_message(fields: Mapping[str, Any]) -> GenerateRequest:
    """The message for plain fields, the inverse of `request_fields`; a field that is None is left out.

    Raises:
        ValueError: a field has a value that the message cannot carry; the text starts with the field's path.
    """
    message = GenerateRequest(output=_carried("output", _choice, fields.get("output")))
    for name, plain in fields.get("params", {}).items():
        message.params[name].CopyFrom(_carried(f"params.{name}", value_of, plain))
    for name, tensor in fields.get("inputs", {}).items():
        message.inputs[name].CopyFrom(_carried(f"inputs.{name}", _tensor_message, tensor))
    for name, value in fields.items():
        if name not in _PARTS and value is not None:
            _carried(name, lambda plain, name=name: setattr(message, name, plain), value)
    return message


def _carried(path: str, convert: Any, value: Any) -> Any:
    try:
        return convert(value)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: {error}") from error


def _same(value: Any) -> Any:
    return value


def _params(values: Mapping[str, Value]) -> dict[str, Plain | None]:
    return {name: plain_of(value) for name, value in values.items()}


def _inputs(tensors: Mapping[str, Tensor]) -> dict[str, dict[str, Any]]:
    return {name: _tensor_fields(tensor) for name, tensor in tensors.items()}


def _tensor_fields(tensor: Tensor) -> dict[str, Any]:
    fields = {field.name: value for field, value in tensor.ListFields() if field.name in {"format", "dtype"}}
    # A repeated field cannot be absent: where a dtype is given for raw elements, no axis means one number.
    if tensor.shape or (tensor.format == "raw" and tensor.HasField("dtype")):
        fields["shape"] = tuple(tensor.shape)
    return {"b64": tensor.content, **fields}


def _tensor_message(fields: Mapping[str, Any]) -> Tensor:
    return Tensor(content=fields["b64"], **{name: value for name, value in fields.items() if name != "b64"})


def _choice(fields: Mapping[str, Any] | None) -> OutputChoice | None:
    return None if fields is None else OutputChoice(**fields)


def _output(choice: OutputChoice) -> dict[str, Any]:
    return {field.name: value for field, value in choice.ListFields()}


_PARTS: dict[str, Any] = {"params": _params, "inputs": _inputs, "output": _output}
