"""Inputs from bytes and numbers: what is declared comes out, anything else is refused by name."""

import contextlib
import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from brood.media.decode import decode_input
from brood.media.png import SIGNATURE, write_png
from brood.protocol.errors import InvalidArgument
from brood.protocol.manifest import Input, Sample
from brood.protocol.requests import InputValue

SAMPLE = Sample(range=(-1.0, 1.0))


def spec(**changes: Any) -> Input:
    """A grey picture of height 2 and width 3, values −1 … 1."""
    words = {"kind": "image", "dtype": "float32", "shape": (1, 2, 3), "minimum": -1, "maximum": 1, "description": ""}
    return Input.model_validate({**words, **changes})


def tensor(**changes: Any) -> Input:
    return spec(**{"kind": "tensor", "minimum": None, "maximum": None, **changes})


def decode(value: InputValue, declared: Input | None = None, n: int = 2) -> np.ndarray:
    return decode_input("x", value, declared or spec(), SAMPLE, n)


def refused(value: InputValue, declared: Input | None = None, n: int = 2) -> str:
    with pytest.raises(InvalidArgument) as raised:
        decode(value, declared, n)
    assert raised.value.field == "inputs.x"
    return raised.value.message.removeprefix("inputs.x: ")


def png(mode: str = "L", size: tuple[int, int] = (3, 2), colour: Any = 255, **options: Any) -> InputValue:
    file = io.BytesIO()
    Image.new(mode, size, colour).save(file, "PNG", **options)
    return InputValue(b64=file.getvalue(), format="png")


def npy(array: np.ndarray, **stated: Any) -> InputValue:
    file = io.BytesIO()
    np.save(file, array)
    return InputValue(b64=file.getvalue(), format="npy", **stated)


def raw(array: np.ndarray, **stated: Any) -> InputValue:
    return InputValue(b64=array.tobytes(), format="raw", **{"dtype": array.dtype.name, "shape": array.shape, **stated})


PICTURE = np.linspace(-1, 1, 6, dtype=np.float32).reshape(1, 2, 3)
SHAPES = "[1, 2, 3] for all samples, or [2, 1, 2, 3], one for each"
PAIR = np.stack([PICTURE, -PICTURE])


@pytest.mark.parametrize(
    "value",
    [
        npy(PICTURE),
        raw(PICTURE),
        npy(np.asfortranarray(PICTURE)),
        npy(PICTURE.astype(">f4")),
        InputValue(data=PICTURE.tolist()),
    ],
    ids=["npy", "raw", "fortran", "big-endian", "data"],
)
def test_one_value_serves_all_samples(value: InputValue) -> None:
    array = decode(value)
    assert array.shape == (2, 1, 2, 3)
    assert array.dtype == np.float32
    assert np.array_equal(array, [PICTURE, PICTURE])
    assert not array.flags.writeable
    assert array.strides[0] == 0


@pytest.mark.parametrize(
    ("low", "high", "seen"),
    [(0, 1, (0.0, 1.0)), (-1, 1, (-1.0, 1.0)), (None, 7, (-1.0, 1.0)), (0, 7, (0.0, 7.0))],
)
def test_black_and_white_are_the_bounds_of_an_input_that_has_them(
    low: float | None, high: float, seen: tuple[float, float]
) -> None:
    """A mask of 0 to 1 beside pictures of -1 to 1: its black is 0."""
    declared = spec(minimum=low, maximum=high)
    found = [decode(png(colour=colour), declared) for colour in (0, 255)]
    assert [set(array.flat) for array in found] == [{value} for value in seen]


@pytest.mark.parametrize("value", [npy(PAIR), raw(PAIR), InputValue(data=PAIR.tolist())], ids=["npy", "raw", "data"])
def test_or_each_sample_has_its_own(value: InputValue) -> None:
    assert np.array_equal(decode(value), PAIR)


def test_a_scalar_may_be_one_number_or_one_for_each() -> None:
    declared = tensor(dtype="float64", shape=())
    assert decode(InputValue(data=0.5), declared).tolist() == [0.5, 0.5]
    assert decode(InputValue(data=[1, 2]), declared).tolist() == [1.0, 2.0]
    assert decode(InputValue(data=[1]), declared, n=1).tolist() == [1.0]


def test_png_becomes_values_of_the_range() -> None:
    pixels = np.array([[0, 51, 255], [255, 0, 102]], np.uint8)
    array = decode(InputValue(b64=write_png(pixels), format="png"))
    assert np.allclose(array[1], [[[-1, -0.6, 1], [1, -1, -0.2]]], atol=1e-7)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (png("RGB", colour=(0, 255, 0)), 2 * 150 / 255 - 1),  # luminance of green, ITU-R 601
        (png("P", colour=0), -1.0),
        (png("1", colour=1), 1.0),
        (png("RGBA", colour=(255, 255, 255, 0)), -1.0),
        (png("LA", colour=(255, 255)), 1.0),
        (png("L", colour=255, transparency=255), -1.0),
    ],
    ids=["rgb", "palette", "bits", "transparent", "opaque", "key"],
)
def test_png_of_other_colours_becomes_grey_on_black(value: InputValue, expected: float) -> None:
    assert decode(value) == pytest.approx(np.full((2, 1, 2, 3), expected), abs=1e-6)


def test_grey_becomes_colour_if_that_is_wanted() -> None:
    assert (decode(png(colour=255), spec(shape=(3, 2, 3))) == 1).all()


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (png(size=(2, 3)), 'size "2x3" is not allowed; allowed: 3x2 pixels (width x height)'),
        (png(size=(9000, 9000)), 'size "9000x9000" is not allowed'),
        (png("I;16", colour=1), "bits a channel 16 is not allowed; allowed: at most 8"),
        (InputValue(b64=b"GIF89a", format="png"), 'b64 "6 bytes" is not allowed; allowed: a PNG file'),
        (InputValue(b64=(png().b64 or b"")[:-30], format="png"), "this one is damaged"),
        (InputValue(b64=b"", format="png"), "allowed: a PNG file"),
    ],
    ids=["size", "bomb", "16 bits", "gif", "cut", "empty"],
)
def test_png_that_does_not_fit_is_refused(value: InputValue, reason: str) -> None:
    assert reason in refused(value)


def test_png_of_a_tensor_is_refused() -> None:
    assert refused(png(), tensor()) == 'format "png" is not allowed; allowed: npy, raw'


def test_a_claimed_size_is_refused_before_anything_is_decoded() -> None:
    head = struct.pack(">IIBBBBB", 2**31 - 1, 2**31 - 1, 8, 0, 0, 0, 0)
    chunk = struct.pack(">I", 13) + b"IHDR" + head + struct.pack(">I", zlib.crc32(b"IHDR" + head))
    assert "2147483647x2147483647" in refused(InputValue(b64=SIGNATURE + chunk, format="png"))


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (npy(PICTURE.astype(np.float64)), 'dtype "float64" is not allowed; allowed: float32'),
        (raw(PICTURE.astype(np.int32)), 'dtype "int32" is not allowed; allowed: float32'),
        (npy(PICTURE[0]), f"shape [2, 3] is not allowed; allowed: {SHAPES}"),
        (npy(np.stack([PICTURE] * 3)), "shape [3, 1, 2, 3] is not allowed"),
        (InputValue(data=[[1]]), "shape [1, 1] is not allowed"),
        (InputValue(data=[]), "shape [0] is not allowed"),
        (raw(PICTURE, shape=(6,)), "shape [6] is not allowed; allowed: [1, 2, 3] for all"),
        (raw(PICTURE, shape=(-1, 2, 3)), "shape [-1, 2, 3] is not allowed"),
        (raw(PICTURE, shape=None), "shape null is not allowed; allowed: [1, 2, 3] for all"),
        (raw(PICTURE, dtype=None), "dtype null is not allowed; allowed: float32 (raw bytes do not tell)"),
        (raw(PICTURE[:, 1:], shape=(1, 2, 3)), 'b64 "12 bytes" is not allowed; allowed: 24 bytes for float32'),
        (npy(PICTURE, dtype="float64"), 'dtype "float64" is not allowed; allowed: float32'),
        (npy(PICTURE, shape=(6,)), "shape [6] is not allowed; allowed: [1, 2, 3], which is what was sent"),
        (InputValue(data=PICTURE.tolist(), dtype="int8"), 'dtype "int8" is not allowed; allowed: float32'),
        (InputValue(data=PICTURE.tolist(), format="raw"), "allowed: none together with 'data'"),
        (InputValue(b64=b""), "format null is not allowed; allowed: npy, png, raw"),
        (InputValue(b64=b"junk", format="npy"), "allowed: an .npy file of version 1.0 or 2.0"),
        (InputValue(b64=(npy(PICTURE).b64 or b"")[:-4], format="npy"), 'b64 "20 bytes after the header"'),
        (npy(np.array(["text"])), 'dtype "<U4" is not allowed; allowed: plain numbers'),
        (npy(np.array([{}], object)), 'dtype "object" is not allowed; allowed: plain numbers'),
        (InputValue(data=[[1, 2], [3]]), "allowed: a number, or nested lists of numbers, equally long at each level"),
        (InputValue(data=["a"]), 'data ["a"] is not allowed; allowed: only numbers in nested lists'),
        (InputValue(data=[None]), "data [null] is not allowed; allowed: only numbers in nested lists"),
        (InputValue(data=[10**30]), "allowed: only numbers in nested lists"),
        (InputValue(data=[True]), "allowed: numbers of dtype float32, not true or false"),
    ],
)
def test_what_does_not_fit_is_refused_with_what_is_allowed(value: InputValue, reason: str) -> None:
    assert reason in refused(value)


def with_value(number: float) -> np.ndarray:
    array = PICTURE.copy()
    array[0, 1, 1] = number
    return array


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (np.nan, "value NaN is not allowed; allowed: finite numbers"),
        (np.inf, "value Infinity is not allowed; allowed: finite numbers"),
        (1.5, "value 1.5 is not allowed; allowed: -1 to 1"),
        (-1.5, "value -1.5 is not allowed; allowed: -1 to 1"),
    ],
)
def test_one_bad_number_is_found(number: float, reason: str) -> None:
    for value in (npy(with_value(number)), raw(with_value(number)), InputValue(data=with_value(number).tolist())):
        assert refused(value) == reason


@pytest.mark.parametrize(
    ("dtype", "data", "reason"),
    [
        ("int64", [1.5], "data 1.5 is not allowed; allowed: numbers of dtype int64"),
        ("uint8", [256], "data 256 is not allowed; allowed: numbers of dtype uint8"),
        ("uint8", [-1], "data -1 is not allowed; allowed: numbers of dtype uint8"),
        ("int8", [float("nan")], "data NaN is not allowed; allowed: numbers of dtype int8"),
        ("int64", [2**63], "data 9223372036854775808 is not allowed; allowed: numbers of dtype int64"),
        ("int64", [9.3e18], "data 9.3e+18 is not allowed; allowed: numbers of dtype int64"),
        ("bool", [2], "data 2 is not allowed; allowed: numbers of dtype bool"),
        ("float32", [1e39], "data 1e+39 is not allowed; allowed: numbers of dtype float32"),
        ("float16", [70000], "data 70000 is not allowed; allowed: numbers of dtype float16"),
    ],
)
def test_a_number_that_the_dtype_has_not_is_refused(dtype: str, data: list[Any], reason: str) -> None:
    assert refused(InputValue(data=data), tensor(dtype=dtype, shape=(1,))) == reason


@pytest.mark.parametrize(
    ("dtype", "data"),
    [("int64", [2.0]), ("uint8", [255]), ("bool", [1]), ("bool", [True]), ("int64", [2**63 - 1]), ("float32", [0.1])],
)
def test_a_number_that_the_dtype_has_is_kept(dtype: str, data: list[Any]) -> None:
    array = decode(InputValue(data=data), tensor(dtype=dtype, shape=(1,)), n=1)
    assert array.dtype == dtype
    assert array[0, 0] == np.dtype(dtype).type(data[0])


def test_raw_flags_are_bytes() -> None:
    value = InputValue(b64=b"\x00\x01\xff", format="raw", dtype="bool", shape=(3,))
    assert decode(value, tensor(dtype="bool", shape=(3,)), n=1).tolist() == [[False, True, True]]


@settings(max_examples=150, deadline=None)
@given(
    base=st.sampled_from([npy(PICTURE), png(), png("P"), png("RGBA", colour=(1, 2, 3, 4))]),
    places=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=5),
    cut=st.integers(0, 300),
)
@example(base=npy(PICTURE), places=[(10, 0x7B)], cut=300)
def test_damaged_bytes_are_read_or_refused_and_nothing_else(
    base: InputValue, places: list[tuple[int, int]], cut: int
) -> None:
    content = bytearray(base.b64 or b"")
    for place, byte in places:
        content[place % len(content)] = byte
    value = base.model_copy(update={"b64": bytes(content[:cut])})
    with contextlib.suppress(InvalidArgument):
        assert decode(value).shape == (2, 1, 2, 3)


def test_what_all_samples_share_is_given_once() -> None:
    spec = Input(kind="tensor", dtype="float32", shape=(2,), description="A pair.")
    one = decode_input("pair", InputValue(data=[1.0, 2.0]), spec, None, 3, shared=True)
    assert one.tolist() == [[1.0, 2.0]] * 3
    with pytest.raises(InvalidArgument, match=r"shape \[3, 2\] is not allowed; allowed: \[2\] for all samples$"):
        decode_input("pair", InputValue(data=[[1.0, 2.0]] * 3), spec, None, 3, shared=True)


def test_a_text_is_no_tensor() -> None:
    spec = Input(kind="tensor", dtype="float32", shape=(2,), description="A pair.")
    with pytest.raises(InvalidArgument, match=r'text "a cat" is not allowed; allowed: for inputs of kind text'):
        decode_input("pair", InputValue(text="a cat"), spec, None, 1)
