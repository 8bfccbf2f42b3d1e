"""PNG files that callers send: whole, or refused."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from brood.media.png import SIGNATURE
from brood.media.read_png import read_png
from brood.media.refused import Refused

SIDE = 8
PLAIN = SIDE * (1 + SIDE)  # bytes of a grey picture, each row with its filter
# The seven passes of Adam7 over 8x8: 1x1, 1x1, 2x1, 2x2, 4x2, 4x4, 8x4.
INTERLACED = 2 + 2 + 3 + 2 * 3 + 2 * 5 + 4 * 5 + 4 * 9


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png(data: bytes, *, interlaced: bool = False, pieces: int = 1) -> bytes:
    head = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 0, 0, 0, interlaced)
    packed = zlib.compress(data)
    size = -(-len(packed) // pieces)
    parts = [chunk(b"IDAT", packed[start : start + size]) for start in range(0, len(packed), size)]
    return b"".join([SIGNATURE, chunk(b"IHDR", head), *parts, chunk(b"IEND", b"")])


@pytest.mark.parametrize(("size", "interlaced"), [(PLAIN, False), (INTERLACED, True)])
def test_rows_that_are_missing(size: int, interlaced: bool) -> None:
    assert read_png(png(bytes(size), interlaced=interlaced), 1, SIDE, SIDE).shape == (SIDE, SIDE)
    for cut in (1, SIDE, size):
        with pytest.raises(Refused, match="a whole PNG file; this one is damaged"):
            read_png(png(bytes(size - cut), interlaced=interlaced), 1, SIDE, SIDE)


def test_data_in_pieces() -> None:
    rows = np.arange(SIDE * SIDE, dtype=np.uint8).reshape(SIDE, SIDE)
    data = np.pad(rows, ((0, 0), (1, 0))).tobytes()
    np.testing.assert_array_equal(read_png(png(data, pieces=5), 1, SIDE, SIDE), rows)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
@pytest.mark.parametrize("side", [1, 7, 32])
def test_all_that_pillow_writes(mode: str, side: int) -> None:
    file = io.BytesIO()
    Image.new(mode, (side, side), 1 if mode in "1LP" else None).save(file, "PNG")
    assert read_png(file.getvalue(), 3, side, side).shape == (side, side, 3)
