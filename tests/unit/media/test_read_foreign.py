from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from brood.media.png import SIGNATURE, write_png
from brood.media.read_foreign import alpha_of, as_png
from brood.media.read_png import read_png
from brood.media.refused import Refused

PIXELS = (np.arange(6 * 5 * 3).reshape(6, 5, 3) * 2).astype(np.uint8)  # 5 wide, 6 high


def file(form: str, pixels: np.ndarray = PIXELS) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, form, **({"lossless": True} if form == "WEBP" else {}))
    return stream.getvalue()


def holed() -> np.ndarray:
    """RGBA, with a transparent row and one that is half so."""
    alpha = np.full((6, 5, 1), 255, np.uint8)
    alpha[2], alpha[3] = 0, 100
    return np.concatenate([PIXELS, alpha], axis=-1)


def test_a_png_file_stays_as_it_is() -> None:
    content = SIGNATURE + b"whatever"
    assert as_png(content, 6, 5) is content


def test_webp_and_jpeg_become_png() -> None:
    np.testing.assert_array_equal(read_png(as_png(file("WEBP"), 6, 5), 3, 6, 5), PIXELS)
    assert np.abs(read_png(as_png(file("JPEG"), 6, 5), 3, 6, 5).astype(int) - PIXELS).max() < 40


@pytest.mark.parametrize("form", ["PNG", "WEBP"])
def test_transparency_is_found(form: str) -> None:
    np.testing.assert_array_equal(alpha_of(file(form, holed()), 6, 5), holed()[..., 3])


def test_grey_with_transparency_and_palettes() -> None:
    grey = holed()[..., [0, 3]]
    np.testing.assert_array_equal(alpha_of(file("PNG", grey), 6, 5), grey[..., 1])
    picture = Image.fromarray(np.eye(6, 5, dtype=np.uint8), "P")
    picture.putpalette([0, 0, 0, 255, 255, 255])
    stream = io.BytesIO()
    picture.save(stream, "PNG", transparency=1)
    np.testing.assert_array_equal(alpha_of(stream.getvalue(), 6, 5), 255 - 255 * np.eye(6, 5, dtype=np.uint8))


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
def test_pictures_without_transparency_say_nothing_of_it(form: str) -> None:
    assert alpha_of(file(form), 6, 5) is None


def huge() -> bytes:
    whole = bytearray(write_png(PIXELS[..., 0]))
    whole[16:24] = struct.pack(">II", 65535, 65535)
    whole[29:33] = struct.pack(">I", zlib.crc32(whole[12:29]))
    return bytes(whole)


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (file("PNG", holed()), "size"),
        (huge(), "file"),
        (file("PNG")[:-30], "file"),
        (file("GIF", PIXELS[..., 0]), "file"),
        (b"", "file"),
        (b"no picture", "file"),
    ],
)
def test_what_is_refused(content: bytes, part: str) -> None:
    height = 7 if part == "size" else 6
    with pytest.raises(Refused) as caught:
        alpha_of(content, height, 5)
    assert caught.value.part == part
    if not content.startswith(SIGNATURE):
        with pytest.raises(Refused):
            as_png(content, height, 5)
