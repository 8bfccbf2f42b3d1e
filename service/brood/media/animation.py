"""Moving pictures that any viewer of pictures shows: GIF, APNG and WebP. They play for ever."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterable
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from brood.media.pictures import exif_of
from brood.media.png import SIGNATURE, chunk, compressed, header

if TYPE_CHECKING:
    from PIL import Image

HUNDREDTHS, THOUSANDTHS = 100, 1000
SHORTEST_GIF = 2  # hundredths: what viewers show faster, they show at a tenth of a second instead
APNG_LIMIT = 2**16 - 1
AS_IT_IS = b"\0\0"  # of a frame: leave the canvas as it is afterwards, overwrite what is there


def delays(frames: int, fps: float, units: int) -> list[int]:
    """How long each frame is shown, in 1/units of a second; rounded so that errors do not add up."""
    ends = [round(units * (frame + 1) / fps) for frame in range(frames)]
    return [end - start for start, end in zip([0, *ends[:-1]], ends, strict=True)]


def write_gif(frames: np.ndarray, fps: float, comment: str) -> bytes:
    """A GIF89a file: 256 colours a frame, shown for whole hundredths of a second, at least two.

    Args:
        frames: uint8 [T, H, W] (grey, without loss) or [T, H, W, 3].
        comment: goes into a comment extension.
    """
    from PIL import Image  # only here: it takes long to import, and most servers never need it

    shown = [10 * max(SHORTEST_GIF, delay) for delay in delays(len(frames), fps, HUNDREDTHS)]
    images = [Image.fromarray(frame) for frame in frames]
    if frames.ndim == 4:  # an octree is ten times as fast as what Pillow takes by itself, and came closer in trials
        images = [image.quantize(method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE) for image in images]
    return _saved(images, "GIF", {"duration": shown, "comment": comment.encode("ascii", "replace"), "disposal": 1})


def write_animated_webp(frames: np.ndarray, fps: float, comment: str, xmp: bytes, quality: int | None = None) -> bytes:
    """An animated WebP file; without loss if no quality (0 to 100) is given. Other arguments as for `write_gif`."""
    from PIL import Image

    images = (Image.fromarray(frame) for frame in frames)
    how = {"xmp": xmp, "exif": exif_of(comment), "lossless": quality is None, "quality": quality or 0, "method": 0}
    return _saved(images, "WEBP", {"duration": delays(len(frames), fps, THOUSANDTHS), **how})


def _saved(images: Iterable[Image.Image], form: str, options: dict[str, Any]) -> bytes:
    first, *others = images
    file = io.BytesIO()
    first.save(file, form, save_all=True, append_images=others, loop=0, **options)
    return file.getvalue()


def write_apng(frames: np.ndarray, fps: float, texts: Iterable[bytes] = ()) -> bytes:
    """An animated PNG file (W3C, Portable Network Graphics, third edition, 11.3.6), without loss.

    Args:
        frames: uint8 [T, H, W] (grey) or [T, H, W, 3].
        texts: as for `brood.media.png.write_png`.
    """
    delay = Fraction(1 / fps).limit_denominator(APNG_LIMIT)
    numerator = min(delay.numerator, APNG_LIMIT)
    height, width = frames.shape[1:3]
    numbers = iter(range(2 * len(frames)))

    def control() -> bytes:
        place = struct.pack(">IIIII", next(numbers), width, height, 0, 0)
        return chunk(b"fcTL", place + struct.pack(">HH", numerator, delay.denominator) + AS_IT_IS)

    parts = [SIGNATURE, header(frames[0]), *texts, chunk(b"acTL", struct.pack(">II", len(frames), 0))]
    parts += [control(), chunk(b"IDAT", compressed(frames[0]))]
    for frame in frames[1:]:
        parts += [control(), chunk(b"fdAT", struct.pack(">I", next(numbers)) + compressed(frame))]
    return b"".join([*parts, chunk(b"IEND", b"")])
