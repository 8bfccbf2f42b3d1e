"""Outputs to bytes: PNG, WebP and JPEG for images, npy and raw for every tensor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from brood.media.npy import write_npy
from brood.media.pictures import write_jpeg, write_webp
from brood.media.pixels import CHANNELS, to_pixels
from brood.media.png import write_png
from brood.media.stamp import XMP, Stamp
from brood.protocol.errors import InvalidArgument
from brood.protocol.manifest import Output, Sample

__all__ = ["PICTURES", "Encoded", "Format", "Stamp", "encode_output"]

Picture = Literal["png", "webp", "jpeg"]
Format = Literal[Picture, "npy", "raw"]
PICTURES: tuple[Picture, ...] = get_args(Picture)


@dataclass(frozen=True, slots=True)
class Encoded:
    """One output as bytes, and what they decode to."""

    content: bytes
    format: Format
    dtype: str  # of the decoded array; uint8 for a picture
    shape: tuple[int, ...]  # of the decoded array; [H, W] or [H, W, 3] for a picture
    range: tuple[float, float] | None = None  # of an image as npy or raw: the values that are black and white


def encode_output(
    array: np.ndarray,
    output: Output,
    sample: Sample | None,
    format: Format,
    stamp: Stamp,
    quality: int | None = None,
) -> Encoded:
    """Encode one output of one sample.

    Args:
        array: of the output's declared dtype and row shape; [C, H, W] for an image.
        sample: how to read images; None if the model has none.
        format: ``png``, ``webp``, ``jpeg`` (images only; see `to_pixels` for the rounding), ``npy`` (format 1.0), or
            ``raw`` (little-endian, C order; bool as one byte).
        stamp: goes into pictures.
        quality: of ``webp`` and ``jpeg``, 0 to 100 (see `write_webp`, `write_jpeg`).

    Raises:
        InvalidArgument: ``output.format`` is a picture's and the output cannot be shown as one.
    """
    if format in PICTURES:
        return _picture(array, output, sample, format, stamp, quality)
    little = np.ascontiguousarray(array, array.dtype.newbyteorder("<")).reshape(array.shape)
    content = little.tobytes() if format == "raw" else write_npy(little)
    shown = sample.range if sample is not None and output.kind == "image" else None
    return Encoded(content, format, array.dtype.name, array.shape, shown)


def _picture(
    array: np.ndarray, output: Output, sample: Sample | None, format: Format, stamp: Stamp, quality: int | None
) -> Encoded:
    if output.kind != "image" or sample is None or array.ndim != 3 or len(array) not in CHANNELS:
        raise InvalidArgument(
            f"output.format: '{format}' cannot show an output of kind {output.kind!r} and shape {list(array.shape)}; "
            "allowed: npy, raw",
            field="output.format",
        )
    pixels = to_pixels(array, sample)
    return Encoded(_written(pixels, format, stamp, quality), format, "uint8", pixels.shape)


def _written(pixels: np.ndarray, format: Format, stamp: Stamp, quality: int | None) -> bytes:
    if format == "png":
        return write_png(pixels, stamp.texts())
    return (write_webp if format == "webp" else write_jpeg)(pixels, stamp.sentence(), XMP.encode(), quality)
