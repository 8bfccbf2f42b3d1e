"""Writes WebP and JPEG files, with Pillow: they are asked for seldom, and PNG has a writer of its own."""

from __future__ import annotations

import io
from typing import Any

import numpy as np

JPEG_QUALITY = 95
SOFTWARE, DESCRIPTION = 0x0131, 0x010E  # tags of Exif (JEITA CP-3451)


def write_webp(pixels: np.ndarray, description: str, xmp: bytes, quality: int | None = None) -> bytes:
    """A WebP file; without loss if no quality is given, made quickly: as a PNG file is, and as large.

    Args:
        pixels: uint8 [H, W] (grey, written as RGB) or [H, W, 3].
        description, xmp: as for `write_jpeg`.
        quality: 0 to 100.
    """
    lossless = quality is None
    return _written(
        pixels, "WEBP", description, {"xmp": xmp, "lossless": lossless, "quality": quality or 0, "method": 0}
    )


def write_jpeg(pixels: np.ndarray, description: str, xmp: bytes, quality: int | None = None) -> bytes:
    """A JPEG file, colours not subsampled.

    Args:
        pixels: uint8 [H, W] (grey) or [H, W, 3] (RGB).
        description: goes into the Exif tag ImageDescription; other characters than ASCII become ``?``.
        xmp: an XMP packet.
        quality: 0 to 100; None: 95.
    """
    wanted = JPEG_QUALITY if quality is None else quality
    return _written(pixels, "JPEG", description, {"xmp": xmp, "quality": wanted, "subsampling": 0})


def _written(pixels: np.ndarray, form: str, description: str, options: dict[str, Any]) -> bytes:
    from PIL import Image  # only here: it takes long to import, and most servers never need it

    file = io.BytesIO()
    Image.fromarray(pixels).save(file, form, exif=exif_of(description), **options)
    return file.getvalue()


def exif_of(description: str) -> bytes:
    """Exif data that names brood, and holds a description; other characters than ASCII become ``?``."""
    from PIL import Image

    exif = Image.Exif()
    exif[SOFTWARE], exif[DESCRIPTION] = "brood", description.encode("ascii", "replace").decode()
    return exif.tobytes()
