"""The data set: shapes, ranges, seeds, splits, cache, geometry."""

from __future__ import annotations

import pathlib
from typing import Any

import numpy as np
import pytest

from brood_export.zoo import glyphs as data
from brood_export.zoo.glyphs import CLASSES, FONTS, glyphs


@pytest.mark.parametrize("size", [14, 28, 32])
def test_pictures_are_eight_bit_grey_levels_in_the_unit_interval(size: int) -> None:
    images, labels = glyphs("train", 50, size, cache_dir=None)
    assert images.shape == (50, 1, size, size)
    assert images.dtype == np.float32
    assert labels.shape == (50,)
    assert labels.dtype == np.int64
    assert 0.0 <= images.min() < images.max() <= 1.0
    levels = images * 255.0
    np.testing.assert_allclose(levels, np.rint(levels), atol=1e-4)


def test_the_first_pictures_do_not_depend_on_how_many_are_asked_for() -> None:
    few, few_labels = glyphs("train", 30, cache_dir=None)
    many, many_labels = glyphs("train", 60, cache_dir=None)
    np.testing.assert_array_equal(few, many[:30])
    np.testing.assert_array_equal(few_labels, many_labels[:30])


def test_splits_and_seeds_give_other_pictures() -> None:
    sets = [
        glyphs("train", 20, cache_dir=None)[0],
        glyphs("heldout", 20, cache_dir=None)[0],
        glyphs("classifier", 20, cache_dir=None)[0],
        glyphs("train", 20, seed=1, cache_dir=None)[0],
    ]
    for i, one in enumerate(sets):
        for other in sets[:i]:
            assert np.abs(one - other).mean() > 0.02


def test_all_classes_come_about_equally_often() -> None:
    _, labels = glyphs("heldout", 2000, cache_dir=None)
    counts = np.bincount(labels, minlength=CLASSES)
    assert counts.min() > 140
    assert len(counts) == CLASSES


def test_sizes_show_the_same_picture() -> None:
    large, _ = glyphs("train", 20, 28, cache_dir=None)
    small, _ = glyphs("train", 20, 14, cache_dir=None)
    shrunk = large.reshape(20, 1, 14, 2, 14, 2).mean((3, 5))
    assert np.abs(shrunk - small).mean() < 0.03  # apart from the noise, which is drawn per pixel


def test_glyphs_stay_inside_the_picture() -> None:
    images, _ = glyphs("train", 500, cache_dir=None)
    border = np.concatenate([images[:, :, 0], images[:, :, -1], images[:, :, :, 0], images[:, :, :, -1]], -1)
    assert (border > 0.5).mean() < 0.001


def test_the_cache_is_written_once_and_read_back(tmp_path: pathlib.Path) -> None:
    drawn, labels = glyphs("train", 25, cache_dir=tmp_path)
    (stored,) = tmp_path.iterdir()
    assert stored.name == "glyphs-train-25x28-seed0-r1.npz"
    np.savez_compressed(stored, pixels=np.full((25, 28, 28), 51, np.uint8), labels=labels)
    again, _ = glyphs("train", 25, cache_dir=tmp_path)
    assert drawn.std() > 0.1
    np.testing.assert_allclose(again, 0.2, atol=1e-6)


def test_a_distance_field_is_signed_and_measured_in_glyph_heights() -> None:
    fields = data.distance_fields()
    assert fields.shape[:2] == (len(FONTS), CLASSES)
    zero = fields[FONTS.index("DejaVuSans"), 0]
    middle = zero.shape[0] // 2
    assert zero[middle, middle] < 0.0  # the hole of the zero is ground
    assert (zero > 0).any()
    # Away from the outline, the distance changes by one grid step per grid step.
    step = 1.6 / zero.shape[0]
    np.testing.assert_allclose(np.diff(zero[:5, middle]), step, rtol=0.05)


@pytest.mark.parametrize(
    ("split", "count", "size", "message"),
    [
        ("test", 5, 28, "split is 'test'; allowed are train, heldout, classifier"),
        ("train", 0, 28, "count is 0; allowed is 1 or more"),
        ("train", 5, 3, "size is 3; allowed is 4 to 112"),
    ],
)
def test_bad_requests_name_the_value_and_what_is_allowed(split: Any, count: int, size: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        glyphs(split, count, size, cache_dir=None)
