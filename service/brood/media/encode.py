"""Outputs to bytes: PNG for images, npy and raw for every tensor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from brood.media.npy import write_npy
from brood.media.pixels import CHANNELS, to_pixels
from brood.media.png import write_png
from brood.media.stamp import Stamp
from brood.protocol.errors import InvalidArgument
from brood.protocol.manifest import Output, Sample

__all__ = ["Encoded", "Format", "Stamp", "encode_output"]

Format = Literal["png", "npy", "raw"]


@dataclass(frozen=True, slots=True)
class Encoded:
    """One output as bytes, and what they decode to."""

    content: bytes
    format: Format
    dtype: str  # of the decoded array; uint8 for PNG
    shape: tuple[int, ...]  # of the decoded array; [H, W] or [H, W, 3] for PNG


def encode_output(array: np.ndarray, output: Output, sample: Sample | None, format: Format, stamp: Stamp) -> Encoded:
    """Encode one output of one sample.

    Args:
        array: of the output's declared dtype and row shape; [C, H, W] for an image.
        sample: how to read images; None if the model has none.
        format: ``png`` (images only; see `to_pixels` for the rounding), ``npy`` (format 1.0), or ``raw``
            (little-endian, C order; bool as one byte).
        stamp: goes into PNG as text.

    Raises:
        InvalidArgument: ``output.format`` is ``png`` and the output cannot be shown as one.
    """
    if format == "png":
        return _png(array, output, sample, stamp)
    little = np.ascontiguousarray(array, array.dtype.newbyteorder("<")).reshape(array.shape)
    content = little.tobytes() if format == "raw" else write_npy(little)
    return Encoded(content, format, array.dtype.name, array.shape)


def _png(array: np.ndarray, output: Output, sample: Sample | None, stamp: Stamp) -> Encoded:
    if output.kind != "image" or sample is None or array.ndim != 3 or len(array) not in CHANNELS:
        raise InvalidArgument(
            f"output.format: 'png' cannot show an output of kind {output.kind!r} and shape {list(array.shape)}; "
            "allowed: npy, raw",
            field="output.format",
        )
    pixels = to_pixels(array, sample)
    return Encoded(write_png(pixels, stamp.texts()), "png", "uint8", pixels.shape)
