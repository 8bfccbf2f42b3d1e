"""What an operation takes, as JSON Schema 2020-12 (https://json-schema.org/draft/2020-12)."""

from __future__ import annotations

from typing import Any

from brood.dataplane.params import FLOAT32_MAX, INT64
from brood.media.formats import input_formats
from brood.media.text import most_characters
from brood.protocol.manifest import Input, Operation, Param

Json = dict[str, Any]

TYPES = {"int": "integer", "float": "number", "bool": "boolean", "str": "string"}
BOUNDS: dict[str, Json] = {
    "int": {"minimum": -INT64, "maximum": INT64 - 1},
    "float": {"minimum": -FLOAT32_MAX, "maximum": FLOAT32_MAX},
}


def operation_schema(operation: Operation) -> Json:
    """The fields ``params`` and ``inputs`` of a request; others are as for every operation."""
    params = {name: _param(param) for name, param in operation.params.items()}
    inputs = {name: _input(given) for name, given in operation.inputs.items()}
    parts = {
        "params": _object(params, [name for name, param in operation.params.items() if param.default is None]),
        "inputs": _object(inputs, [name for name, given in operation.inputs.items() if given.default is None]),
    }
    required = [name for name, part in parts.items() if "required" in part]
    return {"type": "object", "properties": parts, **({"required": required} if required else {})}


def _object(properties: Json, required: list[str]) -> Json:
    named: Json = {"required": required} if required else {}
    return {"type": "object", "properties": properties, "additionalProperties": False, **named}


def _param(param: Param) -> Json:
    schema: Json = {"type": TYPES[param.type], "description": param.description}
    if param.unit is not None:
        schema["description"] += f" (in {param.unit})"
    if param.default is not None:
        schema["default"] = param.default
    if param.choices is not None:
        return schema | {"enum": list(param.choices)}
    own = {"minimum": param.minimum, "maximum": param.maximum}
    return schema | BOUNDS.get(param.type, {}) | {word: bound for word, bound in own.items() if bound is not None}


def _text(given: Input) -> Json:
    """A text, plain or by name."""
    text: Json = {"type": "string", "maxLength": most_characters(given)}
    schema: Json = {"description": f"{given.description}; at most {given.shape[0]} tokens"}
    schema["anyOf"] = [text, _object({"text": text, "format": {"enum": ["text"]}}, ["text"])]
    return schema if given.default is None else schema | {"default": given.default}


def _input(given: Input) -> Json:
    """Bytes with a format, or numbers."""
    if given.kind == "text":
        return _text(given)
    each: Json = {"type": "array", "minItems": 1, "items": _nested(given, given.shape)}
    properties = {
        "b64": {"type": "string", "contentEncoding": "base64", "description": "the bytes of a file, in base64"},
        "format": {"type": "string", "enum": list(input_formats(given)), "description": "of b64"},
        "data": {
            "anyOf": [_nested(given, given.shape), each],
            "description": "numbers: one for all samples, or one for each",
        },
        "dtype": {"type": "string", "enum": [given.dtype]},
        "shape": {"type": "array", "items": {"type": "integer", "minimum": 0}, "description": f"{list(given.shape)}"},
    }
    schema = _object(properties, []) | {"description": given.description}
    return schema | {"oneOf": [{"required": ["b64", "format"]}, {"required": ["data"]}]}


def _nested(given: Input, shape: tuple[int, ...]) -> Json:
    if shape:
        return {"type": "array", "minItems": shape[0], "maxItems": shape[0], "items": _nested(given, shape[1:])}
    if given.dtype == "bool":
        return {"anyOf": [{"type": "boolean"}, {"type": "integer", "minimum": 0, "maximum": 1}]}
    number: Json = {"type": "number" if given.dtype.startswith("float") else "integer"}
    bounds = {"minimum": given.minimum, "maximum": given.maximum}
    return number | {word: bound for word, bound in bounds.items() if bound is not None}
