"""Walk a transform over an array in pieces that stay in the cache."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

BLOCK = 8192
"""Numbers per piece: five float64 buffers of this length take 320 KiB, inside a second-level cache, and the
fixed price of some ninety numpy calls is spread over enough numbers (measured in tests/bench/bench_noise.py)."""


def output_for(raw: NDArray[np.uint64], out: NDArray[np.float32] | None) -> NDArray[np.float32]:
    """The array a transform of `raw` writes: `out` where one is given, else a new float32 array of raw's shape.

    Raises:
        ValueError: raw is not uint64; out is not a C-contiguous float32 array of raw's shape.
    """
    if raw.dtype != np.uint64:
        raise ValueError(f"raw has dtype {raw.dtype}; allowed: uint64")
    if out is None:
        return np.empty(raw.shape, np.float32)
    if out.dtype != np.float32 or out.shape != raw.shape or not out.flags.c_contiguous:
        found = f"{out.dtype}{list(out.shape)}, C-contiguous: {out.flags.c_contiguous}"
        raise ValueError(f"out is {found}; allowed: C-contiguous float32{list(raw.shape)}")
    return out


def pieces(
    raw: NDArray[np.uint64], out: NDArray[np.float32]
) -> Iterator[tuple[NDArray[np.uint64], NDArray[np.float32]]]:
    """Yield matching one-dimensional pieces of `raw` and `out`, at most BLOCK numbers each; out's are views."""
    words, values = np.ascontiguousarray(raw).reshape(-1), out.reshape(-1)
    for start in range(0, words.size, BLOCK):
        yield words[start : start + BLOCK], values[start : start + BLOCK]
