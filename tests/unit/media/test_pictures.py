"""WebP and JPEG: what they show, and what is written into them."""

import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from brood.media.encode import encode_output
from brood.media.pictures import write_jpeg, write_webp
from brood.media.stamp import SOURCE_TYPE, XMP, Stamp
from brood.protocol.errors import InvalidArgument
from brood.protocol.manifest import Output, Sample
from brood.protocol.requests import OutputFormat

SMOOTH = np.add.outer(np.arange(32), np.arange(24)).astype(np.uint8) * 4
COLOURS = np.stack([SMOOTH, SMOOTH[::-1], 255 - SMOOTH], axis=-1)
STAMP = Stamp(model="glyphs-vae", version=3, operation="generate", seed=2**62, index=17)
SENTENCE = (
    "AI-generated: IPTC digital source type trainedAlgorithmicMedia; model glyphs-vae; version 3; operation generate; "
    "seed 4611686018427387904; index 17"
)


@pytest.mark.parametrize("pixels", [SMOOTH, COLOURS])
def test_webp_keeps_every_pixel(pixels: np.ndarray) -> None:
    with Image.open(io.BytesIO(write_webp(pixels, "x", XMP.encode()))) as picture:
        shown = np.asarray(picture)
    assert np.array_equal(shown[..., 0] if pixels.ndim == 2 else shown, pixels)


@pytest.mark.parametrize("pixels", [SMOOTH, COLOURS])
def test_jpeg_comes_close(pixels: np.ndarray) -> None:
    with Image.open(io.BytesIO(write_jpeg(pixels, "x", XMP.encode()))) as picture:
        assert picture.mode == ("L" if pixels.ndim == 2 else "RGB")
        assert np.abs(np.asarray(picture).astype(int) - pixels).max() <= 16


@pytest.mark.parametrize("write", [write_webp, write_jpeg])
def test_less_quality_is_fewer_bytes(write: Callable[[np.ndarray, str, bytes, int], bytes]) -> None:
    noise = np.random.default_rng(7).integers(0, 256, (64, 64), np.uint8)
    files = [write(noise, "x", b"", quality) for quality in (0, 50, 100)]
    assert len(files[0]) < len(files[1]) < len(files[2])
    with Image.open(io.BytesIO(files[2])) as picture:
        assert np.abs(np.asarray(picture.convert("L")).astype(int) - noise).mean() < 8


def test_jpeg_is_of_quality_95_if_nothing_is_said() -> None:
    assert write_jpeg(COLOURS, "x", b"") == write_jpeg(COLOURS, "x", b"", 95) != write_jpeg(COLOURS, "x", b"", 94)


@pytest.mark.parametrize("form", ["webp", "jpeg"])
def test_files_say_what_made_them_and_are_equal_for_equal_samples(form: OutputFormat) -> None:
    array, sample = SMOOTH[None].astype(np.float32) / 255, Sample(range=(0.0, 1.0))
    output = Output(dtype="float32", shape=array.shape, kind="image")
    encoded = encode_output(array, output, sample, form, STAMP)
    assert (encoded.format, encoded.dtype, encoded.shape, encoded.range) == (form, "uint8", (32, 24), None)
    assert encoded == encode_output(array.copy(), output, sample, form, STAMP)
    with Image.open(io.BytesIO(encoded.content)) as picture:
        exif = picture.getexif()
        assert (exif[0x0131], exif[0x010E]) == ("brood", SENTENCE)
        assert SOURCE_TYPE.encode() in picture.info["xmp"]


@pytest.mark.parametrize("form", ["webp", "jpeg"])
def test_what_cannot_be_shown_is_refused(form: OutputFormat) -> None:
    output = Output(dtype="float32", shape=(2, 4, 4), kind="image")
    with pytest.raises(InvalidArgument, match=f"'{form}' cannot show"):
        encode_output(np.zeros((2, 4, 4), np.float32), output, Sample(range=(0.0, 1.0)), form, STAMP)
