"""Values and 8-bit pixels: rounding, clipping, and the way back."""

import numpy as np
import pytest

from brood.media.pixels import from_pixels, to_pixels
from brood.protocol.manifest import Sample


def pixels(values: list[float], low: float, high: float, dtype: str = "float32") -> list[int]:
    found: list[int] = to_pixels(np.array([[values]], dtype), Sample(range=(low, high))).ravel().tolist()
    return found


def test_the_ends_are_black_and_white_and_what_lies_beyond_is_clipped() -> None:
    assert pixels([-1.0, 1.0, -9.0, 9.0, -np.inf, np.inf], -1, 1) == [0, 255, 0, 255, 0, 255]


def test_halves_go_up() -> None:
    assert pixels([0.5, 1.5, 2.5, 2.4999, 254.5], 0, 255) == [1, 2, 3, 2, 255]


def test_what_is_no_number_is_black() -> None:
    assert pixels([np.nan, 0.5], 0, 1) == [0, 128]


@pytest.mark.parametrize("dtype", ["uint8", "int64", "float16", "float64"])
def test_any_real_dtype_is_shown(dtype: str) -> None:
    assert pixels([0, 1, 15], 0, 15, dtype) == [0, 17, 255]


def test_a_flag_is_shown() -> None:
    assert pixels([False, True], 0, 1, "bool") == [0, 255]


def test_one_channel_loses_its_axis_and_three_go_last() -> None:
    sample = Sample(range=(0, 255))
    colours = np.arange(3 * 4 * 5).reshape(3, 4, 5)
    assert to_pixels(colours[:1], sample).shape == (4, 5)
    assert np.array_equal(to_pixels(colours, sample), colours.transpose(1, 2, 0))


@pytest.mark.parametrize("limits", [(-1.0, 1.0), (0.0, 1.0), (0.0, 255.0), (-3.0, 5.0)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_pixel_survives_the_way_there_and_back(limits: tuple[float, float], dtype: str) -> None:
    sample = Sample(range=limits)
    every = np.arange(256, dtype=np.uint8).reshape(16, 16)
    values = from_pixels(every, sample, "float32" if dtype == "float32" else "float64")
    assert values.shape == (1, 16, 16)
    assert values.dtype == dtype
    assert (values.min(), values.max()) == limits
    assert np.array_equal(to_pixels(values, sample), every)


def test_whole_numbers_are_rounded_to_the_nearest() -> None:
    grey = np.array([[0, 8, 9, 255]], np.uint8)
    assert from_pixels(grey, Sample(range=(0, 15)), "int64").tolist() == [[[0, 0, 1, 15]]]
    assert from_pixels(np.array([[0, 127, 128, 255]], np.uint8), Sample(range=(0, 1)), "bool").tolist() == [
        [[False, False, True, True]]
    ]
