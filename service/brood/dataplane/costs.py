"""How long encoding and decoding will take, roughly, so that long work can be kept off the event loop.

Figures measured on one core of a 2-core x86 machine; a factor of two either way does no harm.
"""

from __future__ import annotations

from collections.abc import Sequence

from brood.protocol.events import Preview, Sample

# One file, however small, and each byte of a float32 array: rounding, filtering, compressing.
PICTURE_S = {"png": (50e-6, 4.5e-9), "webp": (130e-6, 3e-9), "jpeg": (60e-6, 1.5e-9)}
COPY_S = (10e-6, 0.15e-9)  # raw and npy, per output
DECODE_BYTE_S = 9e-9  # inflating an image; reading numbers from lists, at 8 bytes a number, takes half


def encoding_s(samples: Sequence[Sample | Preview], format: str) -> float:
    """Predicted seconds for encoding samples of one generation, or previews of some (which are all alike)."""
    if not samples:
        return 0.0
    per_file, per_byte = PICTURE_S.get(format, COPY_S)
    outputs = samples[0].outputs.values()
    return len(samples) * sum(per_file + per_byte * array.nbytes for array in outputs if array.ndim)


def decoding_s(size: int) -> float:
    """Predicted seconds for decoding inputs of so many bytes."""
    return DECODE_BYTE_S * size
