"""What is sent, taken apart: JSON, or a form with files (multipart/form-data, where everything else is text)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic_core import from_json

from brood.frontends.http.multipart import split
from brood.frontends.http.openai.verbs import IMAGE, MASK
from brood.protocol.errors import InvalidArgument

FILES = {IMAGE: IMAGE, f"{IMAGE}[]": IMAGE, MASK: MASK}  # several pictures are sent under the name with brackets
PARAM = re.compile(r"params\[(.+)\]", re.DOTALL)
# Fields that are no text, and so are read as JSON would be. Parameters have types of their own.
NUMBERS = {"n", "version", "output_compression", "stream", "partial_images", "seed", "index", "deadline_ms"}


@dataclass(frozen=True, slots=True)
class Form:
    """The parts of a form."""

    fields: dict[str, Any]
    files: Mapping[str, bytes] = field(default_factory=dict)  # by the names of inputs


def read_form(body: bytes, boundary: str) -> Form:
    """Take a form apart.

    Raises:
        InvalidArgument: it is malformed, a part comes twice, or text is not UTF-8.
        PayloadTooLarge: too many parts.
    """
    fields: dict[str, Any] = {}
    files: dict[str, bytes] = {}
    params: dict[str, Any] = {}
    for part in split(body, boundary.encode()):
        inner = PARAM.fullmatch(part.name)
        name = FILES.get(part.name, part.name)
        place: dict[str, Any] = files if name in FILES else params if inner else fields
        key = inner[1] if inner else name
        if key in place:
            raise InvalidArgument(f"{name}: this part comes twice; allowed: once", field=name)
        place[key] = part.content if place is files else _text(name, part.content)
    numbers = {name: scalar(text) for name, text in fields.items() if name in NUMBERS}
    return Form({**fields, **numbers, **({"params": params} if params else {})}, files)


def scalar(text: str) -> Any:
    """What a text would be as JSON, if that is a number or a truth value; else the text."""
    try:
        value = from_json(text)
    except ValueError:
        return text
    return value if isinstance(value, bool | int | float) else text


def _text(name: str, content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise InvalidArgument(f"{name}: these bytes are no text; allowed: UTF-8", field=name) from error
