"""What a caller may give, and how it is sent."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from brood_client import Content, InvalidArgument
from brood_client._inputs import as_dtype, tensor_of


def back(tensor: dict[str, Any]) -> Any:
    """The array that a raw input means."""
    return Content(tensor["b64"], tensor["format"], tensor["dtype"], tuple(tensor["shape"])).array


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int64", "float16", "float32", "float64", ">f4", ">i8"])
@pytest.mark.parametrize("shape", [(), (3,), (2, 1, 3)])
def test_an_array_survives_as_bytes(dtype: str, shape: tuple[int, ...]) -> None:
    array = np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(dtype)
    tensor = tensor_of("image", array)
    assert tensor["format"] == "raw"
    assert tensor["dtype"] == np.dtype(dtype).newbyteorder("=").name
    np.testing.assert_array_equal(back(tensor), array)
    assert back(tensor).flags.writeable


def test_a_slice_is_sent_in_c_order() -> None:
    array = np.arange(12, dtype=np.int32).reshape(3, 4).T[::2]
    np.testing.assert_array_equal(back(tensor_of("image", array)), array)


def test_files(tmp_path: Path) -> None:
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    np.save(tmp_path / "array.npy", array)
    np.testing.assert_array_equal(back(tensor_of("image", tmp_path / "array.npy")), array)
    Image.new("L", (4, 4), 200).save(tmp_path / "picture.png")
    content = (tmp_path / "picture.png").read_bytes()
    for given in (tmp_path / "picture.png", content, bytearray(content)):
        assert tensor_of("image", given) == {"b64": content, "format": "png"}


def test_pictures_become_png(tmp_path: Path) -> None:
    picture = Image.new("RGB", (5, 3), (10, 200, 30))
    picture.save(tmp_path / "picture.bmp")
    for given in (picture, tmp_path / "picture.bmp"):
        tensor = tensor_of("image", given)
        assert tensor["format"] == "png"
        with Image.open(io.BytesIO(tensor["b64"])) as opened:
            assert (opened.size, opened.getpixel((0, 0))) == ((5, 3), (10, 200, 30))


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (["a", "b"], "<U1"),
        ([None], "object"),
        (np.array([1j]), "complex128"),
        (np.array(["2020-01-01"], "datetime64[D]"), r"datetime64\[D\]"),
        ([[1, 2], [3]], "a ragged list"),
        ("\ud800", r"'\\ud800'"),
        (b"GIF?", "a file of 4 bytes that cannot be read"),
        (b"\x93NUMPY", "a file of 6 bytes that cannot be read"),
        ([Path("a.png"), Path("b.png")], r"a list of pictures \(several pictures go in as one array"),
        (Image.new("F", (2, 2)), "an image of mode F"),
    ],
)
def test_what_is_no_number_is_not_sent(value: Any, found: str) -> None:
    with pytest.raises(InvalidArgument, match=rf"inputs\.image: {found}.* is not allowed; allowed: ") as caught:
        tensor_of("image", value)
    assert caught.value.field == "inputs.image"


@pytest.mark.parametrize(
    ("numbers", "dtype", "kept"),
    [
        ([0, 1], "float32", True),
        ([0.1, 2.5], "float32", True),
        ([1e39], "float32", False),
        ([0, 255], "uint8", True),
        ([-1], "uint8", False),
        ([0.5], "int64", False),
        ([2.0], "int64", True),
        ([0, 1], "bool", True),
        ([2], "bool", False),
        ([True], "float32", False),
    ],
)
def test_lists_take_the_dtype_that_is_declared_if_that_keeps_them(numbers: list[float], dtype: str, kept: bool) -> None:
    loose = tensor_of("image", numbers)
    fitted = as_dtype(loose, dtype)
    assert (fitted["dtype"] == dtype) == kept
    np.testing.assert_array_equal(back(dict(fitted)), np.asarray(numbers, dtype if kept else None))


def test_a_file_that_claims_to_be_huge() -> None:
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "<f4", "fortran_order": False, "shape": (2**30, 2**30)})
    with pytest.raises(InvalidArgument, match=r"inputs\.image: a file of .* that cannot be read"):
        tensor_of("image", stream.getvalue())


def test_a_file_that_is_not_there() -> None:
    with pytest.raises(FileNotFoundError):
        tensor_of("image", Path("nowhere.png"))
