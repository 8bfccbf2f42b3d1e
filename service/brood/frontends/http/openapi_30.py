"""From JSON Schema 2020-12, as pydantic writes it, to the dialect of OpenAPI 3.0."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def openapi_30(node: Any) -> Any:
    """The same schema in the older dialect.

    ``null`` becomes ``nullable``, exclusive bounds become flags beside a bound, ``const`` an ``enum`` of one,
    ``prefixItems`` free ``items``, ``examples`` one ``example``; what the dialect lacks is left out.
    """
    if isinstance(node, list):
        return [openapi_30(item) for item in node]
    if not isinstance(node, dict):
        return node
    schema: dict[str, Any] = {}
    for word, value in node.items():
        if word in _NAMES:
            schema[word] = {name: openapi_30(part) for name, part in value.items()}
        elif word not in _DROPPED:
            inner = value if word in _VALUES else openapi_30(value)
            schema |= _TRANSLATIONS[word](inner) if word in _TRANSLATIONS else {word: inner}
    return schema


def _nullable(branches: list[dict[str, Any]]) -> dict[str, Any]:
    real = [branch for branch in branches if branch != {"type": "null"}]
    if len(real) == len(branches):
        return {"anyOf": branches}
    if len(real) == 1 and "$ref" not in real[0]:
        return real[0] | {"nullable": True}
    return {"anyOf": real, "nullable": True}


_NAMES = {"properties"}  # their keys are names, not words of the language
_VALUES = {"default", "enum", "const", "examples", "required"}
_DROPPED = {"propertyNames", "contentEncoding", "contentMediaType"}
_TRANSLATIONS: dict[str, Callable[[Any], dict[str, Any]]] = {
    "anyOf": _nullable,
    "const": lambda value: {"enum": [value]},
    "examples": lambda values: {"example": values[0]},
    "exclusiveMinimum": lambda bound: {"minimum": bound, "exclusiveMinimum": True},
    "exclusiveMaximum": lambda bound: {"maximum": bound, "exclusiveMaximum": True},
    "prefixItems": lambda items: {"items": {}, "minItems": len(items), "maxItems": len(items)},
}
