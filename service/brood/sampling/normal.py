"""Raw words to standard normal numbers, equal on every machine.

The method is the inverse of the distribution function, one word per number: the rational approximations PPND16 of
Wichura (1988), "Algorithm AS 241: The Percentage Points of the Normal Distribution", Applied Statistics 37(3),
with a logarithm of our own for the tails. Only operations whose result IEEE 754 fixes to the last bit are used:
float64 + - * / and square root, integer and bit operations, comparisons. numpy's log, exp and sin are left out on
purpose: they differ by processor and by version. The order of operations is normative (docs/seed-contract.md), and
every operation is a call or a byte code of its own, so no compiler can fuse a multiplication with an addition.
"""

import math
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from brood.sampling.blocks import BLOCK, output_for, pieces

Float64s = NDArray[np.float64]


class Polynomial:
    """By Horner's rule from the highest power, one rounding per multiplication and per addition."""

    def __init__(self, *coefficients: float) -> None:
        self.coefficients = coefficients
        # Arrays without axes: numpy takes them about 0.15 us per call faster than Python floats.
        self._first, *self._between, self._last = (np.array(value, np.float64) for value in coefficients)

    def at(self, x: float) -> float:
        """Its value, in Python's floats, which are float64 too."""
        first, *between, last = self.coefficients
        value = x * first
        for coefficient in between:
            value = (value + coefficient) * x
        return value + last

    def of(self, x: Float64s, out: Float64s) -> Float64s:
        """Its values at many places at once."""
        np.multiply(x, self._first, out=out)
        for coefficient in self._between:
            np.add(out, coefficient, out=out)
            np.multiply(out, x, out=out)
        return np.add(out, self._last, out=out)


# Coefficients from the highest power to the constant. Central region: |q| <= 0.425, in 0.425**2 - q**2.
CENTRAL_EDGE = 0.425
CENTRAL_SQUARE = 0.180625
CENTRAL_NUMERATOR = Polynomial(
    2.5090809287301226727e3,
    3.3430575583588128105e4,
    6.7265770927008700853e4,
    4.5921953931549871457e4,
    1.3731693765509461125e4,
    1.9715909503065514427e3,
    1.3314166789178437745e2,
    3.3871328727963666080e0,
)
CENTRAL_DENOMINATOR = Polynomial(
    5.2264952788528545610e3,
    2.8729085735721942674e4,
    3.9307895800092710610e4,
    2.1213794301586595867e4,
    5.3941960214247511077e3,
    6.8718700749205790830e2,
    4.2313330701600911252e1,
    1.0,
)
# Tail: in sqrt(-log p) - 1.6. Wichura changes to a third pair of polynomials where the root is above 5; here it ends
# at 6.12 (p >= 2**-54), and up to there this pair is within 7e-13 of the third, far below the rounding to float32.
TAIL_CENTRE = 1.6
TAIL_NUMERATOR = Polynomial(
    7.74545014278341407640e-4,
    2.27238449892691845833e-2,
    2.41780725177450611770e-1,
    1.27045825245236838258e0,
    3.64784832476320460504e0,
    5.76949722146069140550e0,
    4.63033784615654529590e0,
    1.42343711074968357734e0,
)
TAIL_DENOMINATOR = Polynomial(
    1.05075007164441684324e-9,
    5.47593808499534494600e-4,
    1.51986665636164571966e-2,
    1.48103976427480074590e-1,
    6.89767334985100004550e-1,
    1.67638483018380384940e0,
    2.05319162663775882187e0,
    1.0,
)
# log(m) = 2 atanh(f) = f * (2 + 2/3 f**2 + 2/5 f**4 + ...), f = (m - 1)/(m + 1); |f| < 0.1716, so ten terms suffice.
LOG_SERIES = Polynomial(*(2.0 / (2 * k + 1) for k in range(9, -1, -1)))
LOG_2 = 0.6931471805599453
SQRT_HALF_BITS = np.int64(0x3FE6A09E667F3BCD)
SQRT_HALF = float(SQRT_HALF_BITS.view(np.float64))
FEW = 8  # numbers that take Python less time than some forty numpy calls: 2 µs each, 17 µs; 100 with cold caches


def normal(raw: NDArray[np.uint64], out: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
    """Standard normal numbers, one per raw word, any shape; |value| < 8.3, and `~word` gives the negative.

    Pass `out` (float32, raw's shape, C-contiguous) to reuse memory. Many words at once are much cheaper per number
    than few: collect the words of all rows first.

    Raises:
        ValueError: raw is not uint64, or out does not fit raw.
    """
    result = output_for(raw, out)
    if raw.size <= FEW:
        result.reshape(-1)[:] = [*_one_by_one(raw.reshape(-1).tolist())]
        return result
    scratch = np.empty((4, min(BLOCK, raw.size)), np.float64)
    for words, values in pieces(raw, result):
        q, r, z, spare = scratch[:, : words.size]
        _centred(words, q, spare)
        _central(q, r, z, spare)
        np.absolute(q, out=r)
        tail = np.flatnonzero(r > CENTRAL_EDGE)
        if tail.size:
            z[tail] = _tail(q[tail])
        np.copyto(values, z, casting="same_kind")
    return result


def _centred(words: NDArray[np.uint64], q: Float64s, spare: Float64s) -> None:
    """q = u - 1/2 for u = (word >> 10 | 1) / 2**54: an odd multiple of 2**-54 in (-1/2, 1/2), exact in float64."""
    odd = spare.view(np.uint64)
    np.right_shift(words, np.uint64(10), out=odd)
    np.bitwise_or(odd, np.uint64(1), out=odd)
    signed = spare.view(np.int64)
    np.subtract(signed, np.int64(2**53), out=signed)
    np.copyto(q, signed, casting="same_kind")
    np.multiply(q, 2.0**-54, out=q)


def _central(q: Float64s, r: Float64s, z: Float64s, spare: Float64s) -> None:
    """z = q N(r)/D(r), r = 0.425**2 - q**2; for |q| <= 0.425, and finite for the rest (there D(r) > 0.002)."""
    np.multiply(q, q, out=r)
    np.subtract(CENTRAL_SQUARE, r, out=r)
    CENTRAL_NUMERATOR.of(r, z)
    np.multiply(z, q, out=z)
    CENTRAL_DENOMINATOR.of(r, spare)
    np.divide(z, spare, out=z)


def _tail(q: Float64s) -> Float64s:
    """The number for |q| > 0.425, from p = 1/2 - |q|, which is exact and at least 2**-54."""
    r = np.sqrt(_minus_log(0.5 - np.absolute(q)))
    np.subtract(r, TAIL_CENTRE, out=r)
    z, denominator = np.empty_like(r), np.empty_like(r)
    TAIL_NUMERATOR.of(r, z)
    TAIL_DENOMINATOR.of(r, denominator)
    np.divide(z, denominator, out=z)
    return np.copysign(z, q, out=z)


def _minus_log(p: Float64s) -> Float64s:
    """-log(p) for normal p > 0: p = 2**e m with m in [sqrt(1/2), sqrt(2)), -log p = -(e log 2) - 2 atanh(f)."""
    bits = p.view(np.int64)
    exponent = (bits - SQRT_HALF_BITS) >> 52
    m = (bits - (exponent << 52)).view(np.float64)
    f = (m - 1.0) / (m + 1.0)
    series = np.empty_like(f)
    LOG_SERIES.of(f * f, series)
    np.multiply(series, f, out=series)
    return exponent.astype(np.float64) * -LOG_2 - series


def _one_by_one(words: Iterable[int]) -> Iterator[float]:
    """The same operations in the same order on Python's floats, which are float64 too."""
    for word in words:
        q = ((word >> 10 | 1) - 2**53) * 2.0**-54
        if abs(q) <= CENTRAL_EDGE:
            r = CENTRAL_SQUARE - q * q
            yield CENTRAL_NUMERATOR.at(r) * q / CENTRAL_DENOMINATOR.at(r)
        else:
            r = math.sqrt(_minus_log_of(0.5 - abs(q))) - TAIL_CENTRE
            yield math.copysign(TAIL_NUMERATOR.at(r) / TAIL_DENOMINATOR.at(r), q)


def _minus_log_of(p: float) -> float:
    m, exponent = math.frexp(p)
    if m < SQRT_HALF:
        m, exponent = 2 * m, exponent - 1
    f = (m - 1.0) / (m + 1.0)
    return exponent * -LOG_2 - LOG_SERIES.at(f * f) * f
