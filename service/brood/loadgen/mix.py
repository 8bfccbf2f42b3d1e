"""A mix of requests in words: ``50% steps=4`` and ``50% steps=50 n=4``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from brood.protocol.errors import InvalidArgument, invalid

FORM = "SHARE% and NAME=VALUE, as in '50% steps=4 n=2'"


class Shared(BaseModel):
    """A part of a mix, as it is written. Subclasses say which names there are."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    share: float = Field(gt=0, le=100)  # of all requests, in per cent


Words = TypeVar("Words", bound=Shared)


def read_parts(texts: Sequence[str], words: type[Words]) -> tuple[Words, ...]:
    """The parts of a mix.

    Raises:
        InvalidArgument: a text is not of this form, or the shares do not make 100 %.
    """
    parts = tuple(_part(text, words) for text in texts)
    total = sum(part.share for part in parts)
    if abs(total - 100) > 1e-4:
        raise invalid("requests", f"{total:g}% in all", "parts that make 100% together")
    return parts


def _part(text: str, words: type[Words]) -> Words:
    share, *pairs = text.split() or [""]
    if not share.endswith("%") or not all("=" in pair for pair in pairs):
        raise invalid("requests", text, FORM)
    given = {pair.partition("=")[0]: pair.partition("=")[2] for pair in pairs}
    try:
        return words.model_validate({**given, "share": share[:-1]})
    except ValidationError as error:
        raise complaint("requests", error, words) from error


def complaint(where: str, error: ValidationError, words: type[BaseModel] = Shared) -> InvalidArgument:
    """The first thing that is wrong, as field, value and what is allowed."""
    first = error.errors(include_url=False)[0]
    name = ".".join([where, *map(str, first["loc"])])
    if first["type"] == "extra_forbidden":
        return InvalidArgument(f"{name}: unknown; allowed: {', '.join(words.model_fields)}", field=name)
    if first["type"] == "missing":
        return InvalidArgument(f"{name}: missing", field=name)
    reason: str = first["msg"]
    return invalid(name, first["input"], reason.removeprefix("Input should be "))
