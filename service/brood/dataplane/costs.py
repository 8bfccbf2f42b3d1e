"""How long encoding and decoding will take, roughly, so that long work can be kept off the event loop.

Figures measured on one core of a 2-core x86 machine; a factor of two either way does no harm.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from brood.media.formats import format_of
from brood.protocol.events import Preview, Sample
from brood.protocol.manifest import Output
from brood.protocol.requests import OutputFormat

# One file, however small, and each byte of a float32 array: rounding, filtering, compressing.
FILE_S: Mapping[OutputFormat, tuple[float, float]] = {
    "png": (50e-6, 4.5e-9),
    "webp": (130e-6, 3e-9),
    "jpeg": (60e-6, 1.5e-9),
    "wav": (180e-6, 1.5e-9),
    "flac": (250e-6, 3e-9),
    "mp4": (2e-3, 25e-9),
    "webm": (4e-3, 40e-9),
    "apng": (100e-6, 4.5e-9),
    "gif": (1e-3, 10e-9),
}
COPY_S = (10e-6, 0.15e-9)  # raw and npy, per output
DECODE_BYTE_S = 9e-9  # inflating an image; reading numbers from lists, at 8 bytes a number, takes half


def encoding_s(
    samples: Sequence[Sample | Preview], declared: Mapping[str, Output], format: OutputFormat | None
) -> float:
    """Predicted seconds for encoding samples of one generation, or previews of some (which are all alike).

    Args:
        declared: the outputs of their operation.
        format: as the request asks for it.
    """
    if not samples:
        return 0.0
    arrays = [(array.nbytes, declared[name]) for name, array in samples[0].outputs.items() if array.ndim]
    prices = [(size, FILE_S.get(format_of(output, format), COPY_S)) for size, output in arrays]
    return len(samples) * sum(per_file + per_byte * size for size, (per_file, per_byte) in prices)


def decoding_s(size: int) -> float:
    """Predicted seconds for decoding inputs of so many bytes."""
    return DECODE_BYTE_S * size
