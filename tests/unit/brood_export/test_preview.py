import numpy as np
import pytest

from brood_export.preview import SIDE, enlarged

pytestmark = pytest.mark.export


def test_small_pictures_are_enlarged_by_a_whole_number() -> None:
    pixels = np.arange(14 * 14, dtype=np.uint8).reshape(14, 14)
    large = enlarged(pixels)
    assert large.shape == (SIDE, SIDE)
    np.testing.assert_array_equal(large[::4, ::4], pixels)


def test_large_pictures_stay_and_colours_too() -> None:
    assert enlarged(np.zeros((64, 64, 3), np.uint8)).shape == (64, 64, 3)
    assert enlarged(np.zeros((28, 28, 3), np.uint8)).shape == (56, 56, 3)
