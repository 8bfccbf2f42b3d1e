"""Between an image's values and 8-bit pixels."""

from __future__ import annotations

import numpy as np

from brood.protocol.manifest import DType, Sample

CHANNELS = (1, 3)  # grey, RGB


def to_pixels(array: np.ndarray, sample: Sample) -> np.ndarray:
    """Values to pixels: ⌊255·clip((x − lo) / (hi − lo), 0, 1) + ½⌋ in float32, so halves go up; NaN becomes 0.

    Args:
        array: [C, H, W] of any real dtype, C = 1 or 3.
        sample: its ``range`` is (lo, hi).

    Returns:
        uint8, [H, W] if C = 1, else [H, W, 3].
    """
    lo, hi = sample.range
    scaled = (array.astype(np.float32) - np.float32(lo)) * np.float32(255.0 / (hi - lo))
    # fmax and fmin prefer numbers to NaN.
    pixels = (np.fmin(np.fmax(scaled, 0.0), 255.0) + np.float32(0.5)).astype(np.uint8)
    return pixels[0] if len(pixels) == 1 else np.ascontiguousarray(pixels.transpose(1, 2, 0))


def from_pixels(pixels: np.ndarray, sample: Sample, dtype: DType) -> np.ndarray:
    """Pixels to values: lo + (hi − lo)·p/255 in float64, cast once; for whole-number dtypes, rounded to the nearest.

    Args:
        pixels: uint8 [H, W] or [H, W, 3].

    Returns:
        ``dtype`` [C, H, W].
    """
    lo, hi = sample.range
    planes = pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
    values = lo + (hi - lo) * (planes / 255.0)
    if np.dtype(dtype).kind != "f":
        values = np.rint(values)
    return np.ascontiguousarray(values.astype(dtype))
