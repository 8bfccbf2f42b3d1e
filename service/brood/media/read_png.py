"""Reads the pictures that callers send."""

from __future__ import annotations

import io
import struct

import numpy as np

from brood.media.png import SIGNATURE
from brood.media.refused import Refused

HEADER = struct.Struct(">8s8xIIB")  # signature, length and name of IHDR, width, height, bits a channel
BITS_LIMIT = 8


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
