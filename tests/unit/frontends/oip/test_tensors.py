from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from brood.frontends.oip.datatypes import BF16, BYTES, DATATYPES, DTYPES, NUMPY, config_type, datatype_of
from brood.frontends.oip.tensors import Tensor, from_raw, from_values, to_raw, to_values
from brood.protocol.errors import InvalidArgument


@pytest.mark.parametrize("datatype", DTYPES)
def test_raw_bytes_come_back_as_they_went(datatype: str) -> None:
    array = (np.arange(6) % 2).astype(NUMPY[datatype]).reshape(2, 3)
    found = from_raw("x", datatype, [2, 3], array.tobytes())
    assert (found.datatype, found.shape) == (datatype, (2, 3))
    np.testing.assert_array_equal(found.array, array)
    assert to_raw(found) == array.tobytes()


@pytest.mark.parametrize("datatype", [name for name in DTYPES if name != "FP16"])
def test_values_come_back_as_they_went(datatype: str) -> None:
    found = from_values("x", datatype, [2, 1], [[0], [1]])
    assert found.array.dtype == DTYPES[datatype]
    assert to_values(found) == [0, 1]


def test_bf16_is_the_upper_half_of_a_float() -> None:
    found = from_raw("x", BF16, [2], bytes([0x80, 0x3F, 0x20, 0xC0]))  # 1 and -2.5, little endian
    assert found.array.tolist() == [1.0, -2.5]
    assert to_raw(found) == bytes([0x80, 0x3F, 0x20, 0xC0])


def test_strings_have_their_lengths_in_front() -> None:
    content = b"\x02\x00\x00\x00ab\x00\x00\x00\x00"
    found = from_raw("x", BYTES, [2, 1], content)
    assert found.array.tolist() == [[b"ab"], [b""]]
    assert to_raw(found) == content
    assert to_values(found) == ["ab", ""]
    np.testing.assert_array_equal(from_values("x", BYTES, [2, 1], [["ab"], [""]]).array, found.array)


@pytest.mark.parametrize("datatype", ["FP16", BF16])
def test_half_floats_travel_as_bytes_alone(datatype: str) -> None:
    with pytest.raises(InvalidArgument, match="only as binary data"):
        from_values("x", datatype, [1], [1.0])
    with pytest.raises(InvalidArgument, match="binary data only"):
        to_values(Tensor("x", datatype, np.ones(1, np.float32)))


def test_bytes_that_are_no_text_travel_as_bytes_alone() -> None:
    with pytest.raises(InvalidArgument, match="UTF-8"):
        to_values(from_raw("x", BYTES, [1], b"\x01\x00\x00\x00\xff"))


@pytest.mark.parametrize(
    ("datatype", "shape", "content", "words"),
    [
        ("FP32", [2], bytes(7), "7 bytes"),
        ("FP32", [2], bytes(9), "allowed: 8 for FP32 [2]"),
        ("FP31", [2], bytes(8), "inputs.x.datatype"),
        (None, [2], bytes(8), "inputs.x.datatype"),
        ("FP32", [-2], bytes(8), "inputs.x.shape"),
        ("FP32", [2.0], bytes(8), "inputs.x.shape"),
        ("FP32", [True], bytes(4), "inputs.x.shape"),
        ("FP32", "2", bytes(8), "inputs.x.shape"),
        ("FP32", [1] * 17, bytes(4), "at most 16"),
        ("FP32", [2**40], bytes(8), "inputs.x.shape"),
        (BYTES, [1], b"\x02\x00\x00\x00a", "ends after"),
        (BYTES, [1], b"\x02\x00", "ends after"),
        (BYTES, [1], b"\xff\xff\xff\xffab", "ends after"),
        (BYTES, [2], b"\x00\x00\x00\x00", "1 elements"),
        (BYTES, [1], b"\x00\x00\x00\x00" * 2, "2 elements"),
    ],
)
def test_bad_raw_tensors_are_refused(datatype: object, shape: object, content: bytes, words: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        from_raw("x", datatype, shape, content)
    assert words in caught.value.message
    assert (caught.value.field or "").startswith("inputs.x")


@pytest.mark.parametrize(
    ("datatype", "values"),
    [
        ("FP32", [1.0]),
        ("FP32", ["a", "b"]),
        ("FP32", [[1], [2, 3]]),
        ("INT64", [1.5, 2]),
        ("UINT8", [256, 0]),
        ("INT64", [True, False]),
        ("INT64", [None, 1]),
        ("INT64", {"a": 1}),
        (BYTES, [1, 2]),
        (BYTES, ["\ud800", "a"]),
        (BYTES, ["a"]),
    ],
)
def test_bad_values_are_refused(datatype: str, values: Any) -> None:
    with pytest.raises(InvalidArgument) as caught:
        from_values("x", datatype, [2], values)
    assert caught.value.field == "inputs.x"


def test_every_datatype_has_a_name_in_configurations() -> None:
    assert {config_type(name) for name in DATATYPES} >= {"TYPE_STRING", "TYPE_BF16", "TYPE_FP32", "TYPE_BOOL"}
    assert datatype_of("float64") == "FP64"
