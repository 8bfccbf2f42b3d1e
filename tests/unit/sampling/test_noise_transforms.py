"""Raw words to numbers: bounds, accuracy, order and distribution of the two transforms."""

import math
from collections.abc import Callable
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from brood.sampling.blocks import BLOCK
from brood.sampling.noise import NoiseStream, normal, uniform

Words = NDArray[np.uint64]
Transform = Callable[..., NDArray[np.float32]]
LARGEST = 2**64 - 1
HALF_ULP = 2.0**-24


def words(count: int, seed: int = 5) -> Words:
    return NoiseStream(seed=seed, stream=0, index=0, count=count).raw().reshape(-1)


def lower_tail(raw: Words) -> list[float]:
    """p = min(u, 1 - u) of each word's 54-bit u, exact in float64."""
    odd = [(word >> 10) | 1 for word in raw.tolist()]
    return [min(number, 2**54 - number) / 2**54 for number in odd]


def every_scale() -> Words:
    """Words of the lower half whose probabilities cover every power of two down to 2**-54."""
    raw = np.repeat(np.arange(1, 64, dtype=np.uint64), 400)
    return np.right_shift(words(raw.size), raw)


def test_uniform_stays_inside_the_open_interval() -> None:
    extremes = uniform(np.array([0, LARGEST], np.uint64))
    assert extremes.tolist() == [2.0**-24, 1.0 - 2.0**-24]
    values = uniform(words(100_000))
    assert 0.0 < values.min() < 1e-4
    assert 1.0 - 1e-4 < values.max() < 1.0


def test_normal_is_finite_at_the_extreme_words() -> None:
    low, high = normal(np.array([0, LARGEST], np.uint64))
    assert low == -high
    assert high == np.float32(-NormalDist().inv_cdf(2.0**-54))


def test_the_complement_of_a_word_mirrors_the_number() -> None:
    raw = np.concatenate([words(10_000), every_scale()])
    np.testing.assert_array_equal(normal(~raw), -normal(raw))
    np.testing.assert_array_equal(uniform(~raw), np.float32(1) - uniform(raw))


def test_normal_is_the_rounded_inverse_of_the_distribution_function() -> None:
    raw = every_scale()
    reference = np.array([NormalDist().inv_cdf(p) for p in lower_tail(raw)])
    error = np.abs(normal(raw) - reference) / np.abs(reference)
    # Nothing is visible above the rounding to float32 itself.
    assert error.max() < HALF_ULP * (1 + 1e-6)


def test_normal_beyond_five_sigma_has_the_tail_mass_of_the_error_function() -> None:
    raw = every_scale()
    values = normal(raw).astype(np.float64)
    far = values < -5
    assert far.sum() > 10_000
    for z, p in zip(values[far].tolist(), np.array(lower_tail(raw))[far].tolist(), strict=True):
        # A half unit of float32 in z moves the tail probability by about z**2 half units.
        assert math.erfc(-z / math.sqrt(2)) / 2 == pytest.approx(p, rel=(z * z + 2) * HALF_ULP)


# The words at q = 0, at |q| = 0.425, at the change of exponent inside the logarithm, at the ends.
BORDERS = {
    "middle": 2**63,
    "central to tail": round(0.075 * 2**64),
    "far tail": round(math.exp(-25) * 2**64),
    "exponent of the logarithm": round(math.sqrt(0.5) * 2**60),
    "power of two": 2**58,
    "end": 4096 << 11,
}


@pytest.mark.parametrize("border", BORDERS.values(), ids=BORDERS)
@pytest.mark.parametrize("stride_bits", [11, 20])
def test_normal_never_falls_across_a_border(border: int, stride_bits: int) -> None:
    reach = min(4096, border >> stride_bits)
    assert reach >= 8
    around = [border + (k << stride_bits) for k in range(-reach, reach)]
    values = normal(np.array(around, np.uint64))
    assert (np.diff(values) >= 0).all()
    mirrored = normal(~np.array(around, np.uint64))
    assert (np.diff(mirrored) <= 0).all()


def test_both_numbers_rise_with_the_word() -> None:
    raw = np.sort(np.concatenate([words(50_000), every_scale(), ~every_scale()]))
    assert (np.diff(normal(raw)) >= 0).all()
    assert (np.diff(uniform(raw)) >= 0).all()


def kolmogorov_smirnov(sorted_probabilities: NDArray[np.float64]) -> float:
    """sqrt(n) times the largest distance to the uniform distribution function; above 1.95 in 1 of 1,000 samples."""
    n = sorted_probabilities.size
    above = np.arange(1, n + 1) / n - sorted_probabilities
    below = sorted_probabilities - np.arange(n) / n
    return float(max(above.max(), below.max()) * n**0.5)


def test_distribution_of_the_normal() -> None:
    raw = words(200_000)
    values = normal(raw).astype(np.float64)
    n = values.size
    # Standard errors of the first four moments of a standard normal sample: 1, sqrt 2, sqrt 15, sqrt 96, over sqrt n.
    for power, moment, spread in ((1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96)):
        assert abs((values**power).mean() - moment) < 4 * math.sqrt(spread / n)
    probabilities = np.array([math.erfc(-z / math.sqrt(2)) / 2 for z in np.sort(values).tolist()])
    assert kolmogorov_smirnov(probabilities) < 1.95


def test_distribution_of_the_uniform() -> None:
    values = uniform(words(200_000)).astype(np.float64)
    assert abs(values.mean() - 0.5) < 4 * math.sqrt(1 / 12 / values.size)
    assert kolmogorov_smirnov(np.sort(values)) < 1.95


@pytest.mark.parametrize("transform", [normal, uniform])
def test_pieces_shapes_and_memory_layout_change_nothing(transform: Transform) -> None:
    raw = words(2 * BLOCK + 17)
    whole = transform(raw)
    one_by_one = np.concatenate([transform(raw[k : k + 1]) for k in (0, BLOCK - 1, BLOCK, raw.size - 1)])
    np.testing.assert_array_equal(one_by_one, whole[[0, BLOCK - 1, BLOCK, raw.size - 1]])
    np.testing.assert_array_equal(transform(raw[::3]), whole[::3])
    np.testing.assert_array_equal(transform(raw[:600].reshape(20, 30).T), whole[:600].reshape(20, 30).T)
    assert transform(raw[:0]).shape == (0,)


@pytest.mark.parametrize("transform", [normal, uniform])
def test_out_is_written_and_raw_is_left_alone(transform: Transform) -> None:
    raw = words(3 * 100).reshape(3, 100)
    before = raw.copy()
    out = np.full(raw.shape, np.nan, np.float32)
    assert transform(raw, out) is out
    np.testing.assert_array_equal(out, transform(raw))
    np.testing.assert_array_equal(raw, before)


@pytest.mark.parametrize("transform", [normal, uniform])
@pytest.mark.parametrize(
    "out",
    [np.empty(4), np.empty(5, np.float32), np.empty((2, 2), np.float32), np.empty(8, np.float32)[::2]],
    ids=["dtype", "length", "shape", "layout"],
)
def test_an_out_that_does_not_fit_is_refused(transform: Transform, out: Any) -> None:
    with pytest.raises(ValueError, match=r"out is .*; allowed: C-contiguous float32\[4\]"):
        transform(words(4), out)


@pytest.mark.parametrize("transform", [normal, uniform])
def test_words_of_another_type_are_refused(transform: Transform) -> None:
    signed: Any = np.zeros(4, np.int64)
    with pytest.raises(ValueError, match="raw has dtype int64; allowed: uint64"):
        transform(signed)
