from __future__ import annotations

from typing import Any

import pytest

from brood.frontends.http.openapi_30 import openapi_30

INTEGER, NULL = {"type": "integer"}, {"type": "null"}


@pytest.mark.parametrize(
    ("new", "old"),
    [
        (INTEGER, INTEGER),
        ({"anyOf": [INTEGER, NULL], "default": None}, {"type": "integer", "nullable": True, "default": None}),
        ({"anyOf": [{"$ref": "#/a"}, NULL]}, {"anyOf": [{"$ref": "#/a"}], "nullable": True}),
        ({"anyOf": [INTEGER, {"type": "string"}]}, {"anyOf": [INTEGER, {"type": "string"}]}),
        ({"exclusiveMinimum": 0}, {"minimum": 0, "exclusiveMinimum": True}),
        ({"exclusiveMaximum": 9}, {"maximum": 9, "exclusiveMaximum": True}),
        ({"const": True}, {"enum": [True]}),
        ({"examples": [{"const": 1}, 2]}, {"example": {"const": 1}}),
        (
            {"type": "array", "prefixItems": [INTEGER, INTEGER]},
            {"type": "array", "items": {}, "minItems": 2, "maxItems": 2},
        ),
        ({"type": "object", "propertyNames": {"pattern": "a"}}, {"type": "object"}),
        ({"properties": {"const": {"const": 1}}}, {"properties": {"const": {"enum": [1]}}}),
        ({"items": {"exclusiveMinimum": 0}}, {"items": {"minimum": 0, "exclusiveMinimum": True}}),
    ],
)
def test_translations(new: Any, old: Any) -> None:
    assert openapi_30(new) == old
