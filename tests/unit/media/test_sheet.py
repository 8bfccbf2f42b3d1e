"""Contact sheets."""

import io

import numpy as np
import pytest
from PIL import Image

from brood.media.sheet import contact_sheet


def read(content: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(content)) as picture:
        assert "AI-generated" in picture.info["Comment"]
        return np.asarray(picture)


def test_pictures_lie_in_rows_with_gaps() -> None:
    images = [np.full((3, 4), number, np.uint8) for number in range(5)]
    sheet = read(contact_sheet(images, columns=2))
    assert sheet.shape == (2 + 3 * (3 + 2), 2 + 2 * (4 + 2))
    assert (sheet[2:5, 2:6] == 0).all()
    assert (sheet[2:5, 8:12] == 1).all()
    assert (sheet[12:15, 2:6] == 4).all()
    assert (sheet[12:15, 8:12] == 255).all()
    assert (sheet[:2] == 255).all()


def test_few_pictures_make_a_narrow_sheet_in_colour() -> None:
    assert read(contact_sheet([np.zeros((3, 4, 3), np.uint8)], columns=8)).shape == (7, 8, 3)


@pytest.mark.parametrize(
    ("images", "columns"),
    [([], 2), ([np.zeros((2, 2), np.uint8)], 0), ([np.zeros((2, 2), np.uint8), np.zeros((2, 3), np.uint8)], 2)],
)
def test_what_makes_no_sheet_is_refused(images: list[np.ndarray], columns: int) -> None:
    with pytest.raises(ValueError, match="at least one column, exactly one shape"):
        contact_sheet(images, columns)
