"""A call and its answer, as both transports read and write them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from brood.frontends.oip.tensors import Tensor
from brood.protocol.errors import invalid

Parameter = bool | int | float | str
VERSION = re.compile(r"[1-9][0-9]{0,17}")


@dataclass(frozen=True, slots=True)
class Asked:
    """An output that a caller asks for."""

    name: str
    parameters: Mapping[str, Parameter] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class InferCall:
    """What a caller sent."""

    model: str
    version: int | None = None  # None: the newest that is ready
    id: str = ""  # the caller's own, to be repeated in the answer
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    inputs: tuple[Tensor, ...] = ()
    outputs: tuple[Asked, ...] = ()  # none: all


@dataclass(frozen=True, slots=True)
class InferAnswer:
    """What it gets."""

    model: str
    version: int
    id: str  # as in the call
    parameters: Mapping[str, Parameter]  # what was run, and how far it can be repeated
    outputs: tuple[Tensor, ...]  # in the order asked for


def version_of(text: str) -> int | None:
    """The version in an address or a message; empty: none is asked for.

    Raises:
        InvalidArgument: no whole number from 1 on.
    """
    if not text:
        return None
    if not VERSION.fullmatch(text):
        raise invalid("version", text, "an integer from 1 on")
    return int(text)
