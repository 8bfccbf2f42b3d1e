"""Raw words to uniform numbers, by the formula of docs/seed-contract.md."""

import numpy as np
from numpy.typing import NDArray

from brood.sampling.blocks import BLOCK, output_for, pieces


def uniform(raw: NDArray[np.uint64], out: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
    """Uniform numbers of the open interval (0, 1), one per raw word, any shape: ((word >> 40) | 1) / 2**24.

    The numerator is an odd integer below 2**24, so float32 holds every value without rounding: neither 0 nor 1
    occurs, and 1 - u is again such a number. Pass `out` (float32, raw's shape, C-contiguous) to reuse memory.

    Raises:
        ValueError: raw is not uint64, or out does not fit raw.
    """
    result = output_for(raw, out)
    scratch = np.empty(min(BLOCK, raw.size), np.uint64)
    for words, values in pieces(raw, result):
        odd = scratch[: words.size]
        np.right_shift(words, np.uint64(40), out=odd)
        np.bitwise_or(odd, np.uint64(1), out=odd)
        # Below 2**24, so the signed view holds the same numbers; its conversion is the faster one.
        np.copyto(values, odd.view(np.int64), casting="same_kind")
        np.multiply(values, np.float32(2.0**-24), out=values)
    return result
