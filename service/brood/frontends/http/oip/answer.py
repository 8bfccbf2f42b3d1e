"""Answers as they are sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic_core import to_json

from brood.frontends.http.oip.body import BINARY_SIZE
from brood.frontends.oip import InferAnswer, Tensor
from brood.frontends.oip.tensors import to_raw, to_values
from brood.media.npy import Bytes

VALUE_S = 0.15e-6  # writing one number as JSON, measured
BYTE_S = 0.3e-9  # copying one byte
JSON, BINARY = "application/json", "application/octet-stream"


def rendering_s(answer: InferAnswer, wants_bytes: Callable[[str], bool]) -> float:
    """Predicted seconds for `render`."""
    return sum(
        BYTE_S * tensor.array.nbytes if wants_bytes(tensor.name) else VALUE_S * tensor.array.size
        for tensor in answer.outputs
    )


def render(answer: InferAnswer, wants_bytes: Callable[[str], bool]) -> tuple[bytes, int | None]:
    """The body, and how much of it is JSON if bytes follow. Numbers that JSON has not (infinities) become null.

    Raises:
        InvalidArgument: an output that only bytes carry is wanted as JSON.
    """
    outputs: list[dict[str, Any]] = []
    sections: list[Bytes] = []
    for tensor in answer.outputs:
        words = {"name": tensor.name, "datatype": tensor.datatype, "shape": tensor.shape}
        if wants_bytes(tensor.name):
            sections.append(to_raw(tensor))
            outputs.append({**words, "parameters": {BINARY_SIZE: len(sections[-1])}})
        else:
            outputs.append({**words, "data": to_values(tensor)})
    head = to_json({**_head(answer), "parameters": answer.parameters, "outputs": outputs}, inf_nan_mode="null")
    return (b"".join([head, *sections]), len(head)) if sections else (head, None)


def flat(answer: InferAnswer) -> dict[str, Any]:
    """An answer as Triton's ``generate`` tells it: outputs by name, as one number or one flat list."""
    return {**_head(answer), **{tensor.name: _plain(tensor) for tensor in answer.outputs}}


def _plain(tensor: Tensor) -> Any:
    values = to_values(tensor)
    return values[0] if len(values) == 1 else values


def _head(answer: InferAnswer) -> dict[str, Any]:
    named = {"id": answer.id} if answer.id else {}
    return {**named, "model_name": answer.model, "model_version": str(answer.version)}
