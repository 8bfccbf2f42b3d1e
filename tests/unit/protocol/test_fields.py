"""Messages taken apart without protobuf."""

from __future__ import annotations

import pytest

from brood.protocol.wire.fields import fields
from brood.protocol.wire.inference_pb2 import InferParameter, ModelInferRequest


def test_every_kind_of_field() -> None:
    message = ModelInferRequest(
        model_name="tiny",
        parameters={"a": InferParameter(int64_param=-1)},
        raw_input_contents=[b"x" * 300, b""],
    )
    found = list(fields(message.SerializeToString()))
    assert [number for number, _ in found] == [1, 4, 7, 7]
    assert [bytes(value) for _, value in found[2:] if isinstance(value, memoryview)] == [b"x" * 300, b""]
    entry = found[1][1]
    assert isinstance(entry, memoryview)
    [_, (number, inner)] = fields(entry)
    assert number == 2
    assert isinstance(inner, memoryview)
    assert list(fields(inner)) == [(2, 2**64 - 1)]
    [(number, double)] = fields(InferParameter(double_param=1.0).SerializeToString())
    assert isinstance(double, memoryview)
    assert (number, bytes(double)) == (4, b"\0\0\0\0\0\0\xf0\x3f")


def test_nothing() -> None:
    assert list(fields(b"")) == []


@pytest.mark.parametrize("content", [b"\xff", b"\xff" * 20, b"\x0a\x05abc", b"\x09\0", b"\x0b\x0c", b"\x08"])
def test_what_is_none(content: bytes) -> None:
    with pytest.raises(ValueError, match="not a protocol buffer"):
        list(fields(content))
