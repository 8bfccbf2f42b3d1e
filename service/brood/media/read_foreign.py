"""Reads the pictures that callers of other protocols send: PNG, JPEG or WebP, perhaps with transparent parts."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from brood.media.png import SIGNATURE, write_png
from brood.media.refused import Refused

if TYPE_CHECKING:
    from PIL import Image

FORMATS = ("PNG", "JPEG", "WEBP")
T = TypeVar("T")


def as_png(content: bytes, height: int, width: int) -> bytes:
    """The same picture as a PNG file; one that is such a file already stays as it is, for `read_png` to look at.

    Raises:
        Refused: it is no picture of these formats, is damaged, or has another size.
    """
    if content.startswith(SIGNATURE):
        return content
    return _read(content, height, width, lambda picture: write_png(np.asarray(picture.convert("RGB"))))


def alpha_of(content: bytes, height: int, width: int) -> np.ndarray | None:
    """How opaque each pixel is, uint8 [H, W], 0 is transparent; None: the picture says nothing of it.

    Raises:
        Refused: as `as_png` raises.
    """

    def alpha(picture: Image.Image) -> np.ndarray | None:
        return np.asarray(picture.convert("RGBA"))[..., 3] if picture.has_transparency_data else None

    return _read(content, height, width, alpha)


def _read(content: bytes, height: int, width: int, take: Callable[[Image.Image], T]) -> T:
    """What ``take`` makes of a picture. Its size is looked at before anything is decoded."""
    from PIL import Image  # only here: most requests send no picture

    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as picture:
            if picture.size != (width, height):
                raise Refused("size", "x".join(map(str, picture.size)), f"{width}x{height} pixels (width x height)")
            picture.load()
            return take(picture)
    except Refused:
        raise
    except Exception as error:  # what is no picture, or a damaged one, can raise almost anything in Pillow
        raise Refused("file", f"{len(content)} bytes", "a whole PNG, JPEG or WebP file") from error
