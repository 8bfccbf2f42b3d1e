import numpy as np
import pytest

from brood_export.preview import PLOT, SIDE, enlarged, scatter

pytestmark = pytest.mark.export


def test_small_pictures_are_enlarged_by_a_whole_number() -> None:
    pixels = np.arange(14 * 14, dtype=np.uint8).reshape(14, 14)
    large = enlarged(pixels)
    assert large.shape == (SIDE, SIDE)
    np.testing.assert_array_equal(large[::4, ::4], pixels)


def test_large_pictures_stay_and_colours_too() -> None:
    assert enlarged(np.zeros((64, 64, 3), np.uint8)).shape == (64, 64, 3)
    assert enlarged(np.zeros((28, 28, 3), np.uint8)).shape == (56, 56, 3)


def test_points_are_dots_with_y_upwards() -> None:
    plot = scatter(np.array([[1.0, 1.0], [-2.0, 0.0]]), 4.0)
    assert plot.shape == (PLOT, PLOT)
    ys, xs = np.nonzero(plot)
    upper = ys < PLOT * 0.45
    assert (xs[upper].mean(), ys[upper].mean()) == pytest.approx((PLOT * 0.625, PLOT * 0.375), abs=1.0)
    assert (xs[~upper].mean(), ys[~upper].mean()) == pytest.approx((PLOT * 0.25, PLOT * 0.5), abs=1.0)
    assert len(ys) == 18


def test_points_at_the_edge_stay_on_the_plot() -> None:
    assert (scatter(np.array([[1.0, -1.0], [-1.0, 1.0]]), 1.0) == 255).sum() == 18
