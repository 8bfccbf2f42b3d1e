"""Reads the pictures that callers send."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator

import numpy as np

from brood.media.png import SIGNATURE
from brood.media.refused import Refused

HEADER = struct.Struct(">8s8xIIB")  # signature, length and name of IHDR, width, height, bits a channel
BITS_LIMIT = 8
CHUNK = struct.Struct(">I4s")  # length of the content, name; after the content a checksum
IHDR = struct.Struct(">IIBBxxB")  # width, height, bits a channel, colour type, interlaced; after its length and name
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by colour type
WHOLE = ((0, 0, 1, 1),)  # passes over a picture: first column and row, steps to the next
ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


def read_png(content: bytes, channels: int, height: int, width: int) -> np.ndarray:
    """Decode a picture of known size; colours become luminance (ITU-R 601) if one channel is wanted.

    Transparent parts are shown on black. Size and depth are read from the header before anything is decoded.

    Returns:
        uint8 [H, W] for one channel, [H, W, 3] for three.

    Raises:
        Refused: it is not a PNG file, is damaged, has another size, or more than 8 bits a channel.
    """
    _check_header(content, height, width)
    from PIL import Image, PngImagePlugin  # only here: most requests send no picture

    try:
        _check_rows(content)
        picture: Image.Image = PngImagePlugin.PngImageFile(io.BytesIO(content))
        picture.load()
        if picture.has_transparency_data:
            layer = picture.convert("RGBA")
            picture = Image.alpha_composite(Image.new("RGBA", layer.size, (0, 0, 0, 255)), layer)
        return np.asarray(picture.convert("L" if channels == 1 else "RGB"))
    except Exception as error:  # a damaged file can raise almost anything in Pillow
        raise Refused("b64", f"{len(content)} bytes", "a whole PNG file; this one is damaged") from error


def _check_header(content: bytes, height: int, width: int) -> None:
    if len(content) < HEADER.size or not content.startswith(SIGNATURE):
        raise Refused("b64", f"{len(content)} bytes", "a PNG file")
    _, found_width, found_height, bits = HEADER.unpack_from(content)
    if (found_height, found_width) != (height, width):
        raise Refused("size", f"{found_width}x{found_height}", f"{width}x{height} pixels (width x height)")
    if bits > BITS_LIMIT:
        raise Refused("bits a channel", bits, f"at most {BITS_LIMIT}")


def _check_rows(content: bytes) -> None:
    """Raises an error if rows are missing: Pillow takes those there are, and leaves the others black."""
    width, height, bits, colour, interlaced = IHDR.unpack_from(content, len(SIGNATURE) + CHUNK.size)
    size = sum(
        _size(-(-(width - x) // dx), -(-(height - y) // dy), bits * CHANNELS[colour])
        for x, y, dx, dy in (ADAM7 if interlaced else WHOLE)
    )
    found = zlib.decompressobj().decompress(b"".join(_data(content)), size)
    if len(found) < size:
        raise ValueError(f"{len(found)} of {size} bytes of pixels")


def _size(width: int, height: int, pixel_bits: int) -> int:
    """Bytes of a pass: each row with its filter in front."""
    return height * (1 + (width * pixel_bits + 7) // 8) if width > 0 and height > 0 else 0


def _data(content: bytes) -> Iterator[bytes]:
    at = len(SIGNATURE)
    while at < len(content):
        length, name = CHUNK.unpack_from(content, at)
        at += CHUNK.size
        if name == b"IDAT":
            yield content[at : at + length]
        at += length + 4
