"""Pixels and PNG files, with numpy and zlib alone; Pillow only where a caller asks for its images."""

from __future__ import annotations

import io
import math
import struct
import zlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from PIL import Image

Pixels = npt.NDArray[np.uint8]  # [H, W] grey or [H, W, 3] RGB

GAP = 2  # pixels between the pictures of a sheet and around them
WHITE = 255
SIGNATURE = b"\x89PNG\r\n\x1a\n"
GREY, RGB = 0, 2  # colour types
CHANNELS = (1, 3)  # of arrays that can be shown
MARK = {"Software": "brood", "Comment": "AI-generated: IPTC digital source type trainedAlgorithmicMedia"}


def pixels_of(array: npt.NDArray[Any], shown: tuple[float, float]) -> Pixels:
    """Values to pixels as the server makes them: ⌊255·clip((x − lo) / (hi − lo), 0, 1) + ½⌋; NaN becomes 0.

    Args:
        array: [C, H, W], C = 1 or 3.
        shown: lo and hi, the values that are black and white.
    """
    lo, hi = shown
    scaled = (array.astype(np.float32) - np.float32(lo)) * np.float32(255.0 / (hi - lo))
    pixels = (np.fmin(np.fmax(scaled, 0.0), 255.0) + np.float32(0.5)).astype(np.uint8)
    return pixels[0] if len(pixels) == 1 else np.ascontiguousarray(pixels.transpose(1, 2, 0))


def write_png(pixels: Pixels, texts: Mapping[str, str]) -> bytes:
    """A PNG file (W3C, Portable Network Graphics, third edition) with texts by keyword, in Latin-1."""
    height, width = pixels.shape[:2]
    head = struct.pack(">IIBBBBB", width, height, 8, GREY if pixels.ndim == 2 else RGB, 0, 0, 0)
    rows = pixels.reshape(height, -1)
    plain = np.zeros((height, 1), np.uint8)  # the filter of every row: none
    told = [_chunk(b"tEXt", f"{name}\0{text}".encode("latin-1", "replace")) for name, text in texts.items()]
    data = _chunk(b"IDAT", zlib.compress(np.concatenate([plain, rows], axis=1).tobytes()))
    return b"".join([SIGNATURE, _chunk(b"IHDR", head), *told, data, _chunk(b"IEND", b"")])


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def sheet_of(pictures: Sequence[Pixels], columns: int | None) -> Pixels:
    """Pictures of one shape laid out in rows on white; by default about as many columns as rows."""
    columns = min(columns or math.ceil(math.sqrt(len(pictures))), len(pictures))
    height, width, *channels = pictures[0].shape
    rows = -(-len(pictures) // columns)
    sheet = np.full((GAP + rows * (height + GAP), GAP + columns * (width + GAP), *channels), WHITE, np.uint8)
    for number, picture in enumerate(pictures):
        top, left = GAP + number // columns * (height + GAP), GAP + number % columns * (width + GAP)
        sheet[top : top + height, left : left + width] = picture
    return sheet


def opened(content: bytes) -> Image.Image:
    """A file as an image of Pillow.

    Raises:
        ImportError: Pillow is not installed.
        OSError: it is no picture that Pillow knows.
    """
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError("this needs Pillow: pip install pillow") from error
    image = Image.open(io.BytesIO(content))
    image.load()
    return image
