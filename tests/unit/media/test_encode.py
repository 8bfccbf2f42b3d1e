"""Outputs as bytes: what they decode to, and what is written into pictures."""

import io
import subprocess
import sys
from dataclasses import replace
from typing import Literal

import numpy as np
import pytest
from PIL import Image

from brood.media.encode import Encoded, encode_output
from brood.media.stamp import SOURCE_TYPE, Stamp
from brood.protocol.errors import InvalidArgument
from brood.protocol.manifest import Output, Sample

STAMP = Stamp(model="glyphs-vae", version=3, operation="generate", seed=2**62, index=17)
SAMPLE = Sample(range=(0.0, 1.0))
Kind = Literal["image", "tensor", "scalar"]


def encode(
    array: np.ndarray, format_: Literal["png", "npy", "raw"], kind: Kind = "image", sample: Sample | None = SAMPLE
) -> Encoded:
    output = Output.model_validate({"dtype": array.dtype.name, "shape": array.shape, "kind": kind})
    return encode_output(array, output, sample, format_, STAMP)


@pytest.mark.parametrize("shape", [(1, 5, 7), (3, 5, 7)])
def test_png_shows_the_picture_and_says_how_to_make_it_again(shape: tuple[int, ...]) -> None:
    array = np.random.default_rng(0).random(shape, np.float32)
    encoded = encode(array, "png")
    with Image.open(io.BytesIO(encoded.content), formats=["PNG"]) as picture:
        pixels = np.asarray(picture)
        texts = picture.info
    assert (encoded.dtype, encoded.shape) == ("uint8", pixels.shape)
    planes = pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
    assert np.abs(planes - array * 255.0).max() <= 0.501
    assert {key: texts[key] for key in ("Software", "model", "version", "operation", "seed", "index")} == {
        "Software": "brood",
        "model": "glyphs-vae",
        "version": "3",
        "operation": "generate",
        "seed": "4611686018427387904",
        "index": "17",
    }
    assert "AI-generated" in texts["Comment"]
    assert f'DigitalSourceType="{SOURCE_TYPE}"' in texts["XML:com.adobe.xmp"]
    assert SOURCE_TYPE.endswith("/trainedAlgorithmicMedia")


def test_an_unfinished_sample_is_marked_as_such() -> None:
    unfinished = replace(STAMP, step=4).texts()
    assert unfinished[:-1] == STAMP.texts()
    assert b"step\x004" in unfinished[-1]


def test_equal_samples_give_equal_files_and_the_order_of_texts_is_fixed() -> None:
    array = np.zeros((1, 2, 2), np.float32)
    content = bytes(encode(array, "png").content)
    assert content == encode(array.copy(), "png").content
    places = [content.index(key) for key in (b"Software", b"Comment", b"XML:", b"model", b"version", b"operation")]
    assert places == sorted(places)


@pytest.mark.parametrize("dtype", ["float32", "float16", "int64", "uint8", "bool", "float64"])
@pytest.mark.parametrize("shape", [(), (3,), (2, 3, 4)])
def test_npy_and_raw_keep_every_bit(dtype: str, shape: tuple[int, ...]) -> None:
    array = np.random.default_rng(0).integers(0, 2, shape).astype(dtype)
    npy, raw = encode(array, "npy", "tensor"), encode(array, "raw", "tensor")
    assert npy.content[6:8] == b"\x01\x00"
    assert np.array_equal(np.load(io.BytesIO(npy.content), allow_pickle=False), array)
    assert np.array_equal(np.frombuffer(raw.content, dtype).reshape(shape), array)
    for encoded in (npy, raw):
        assert (encoded.dtype, encoded.shape) == (dtype, shape)


def test_raw_is_little_endian_in_c_order_wherever_the_array_comes_from() -> None:
    array = np.arange(6, dtype=">i2").reshape(3, 2).T
    encoded = encode(array, "raw", "tensor")
    assert encoded.content == bytes([0, 0, 2, 0, 4, 0, 1, 0, 3, 0, 5, 0])
    assert encoded.dtype == "int16"


@pytest.mark.parametrize(
    ("shape", "kind", "sample"),
    [((3,), "tensor", SAMPLE), ((2, 4, 4), "image", SAMPLE), ((4, 4), "image", SAMPLE), ((1, 4, 4), "image", None)],
)
def test_what_cannot_be_shown_as_png_is_refused(shape: tuple[int, ...], kind: Kind, sample: Sample | None) -> None:
    with pytest.raises(InvalidArgument, match=r"output\.format: 'png' cannot show .*; allowed: raw, npy") as raised:
        encode(np.zeros(shape, np.float32), "png", kind, sample)
    assert raised.value.field == "output.format"


@pytest.mark.parametrize("format", ["npy", "raw"])
def test_an_image_as_numbers_tells_what_is_black_and_white(format: Literal["npy", "raw"]) -> None:
    array = np.zeros((1, 4, 4), np.float32)
    assert encode(array, format, "image").range == SAMPLE.range
    assert encode(array, format, "tensor").range is None
    assert encode(array, "png", "image").range is None


def test_no_imaging_library_is_imported_to_encode() -> None:
    program = "import sys, brood.media.encode, brood.media.decode, brood.media.sheet; assert 'PIL' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
