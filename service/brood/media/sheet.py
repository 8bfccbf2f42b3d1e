"""Contact sheets: many pictures on one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from brood.media.png import write_png
from brood.media.stamp import MARK

GAP = 2  # pixels between pictures and around them
BACKGROUND = 255  # white: pictures of dark ground stand apart


def contact_sheet(images: Sequence[np.ndarray], columns: int) -> bytes:
    """Lay pictures out in rows and encode the sheet as PNG, with the AI-generated mark.

    Args:
        images: at least one, all of one shape, uint8 [H, W] or [H, W, 3].
        columns: pictures in a row, at least 1; fewer if there are not as many.

    Raises:
        ValueError: there is no picture, their shapes differ, or there is no column.
    """
    shapes = {image.shape for image in images}
    if len(shapes) != 1 or columns < 1:
        raise ValueError(
            f"columns: {columns}, shapes: {sorted(shapes)}; allowed: at least one column, exactly one shape"
        )
    height, width, *channels = shapes.pop()
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    extent = (GAP + rows * (height + GAP), GAP + columns * (width + GAP), *channels)
    sheet = np.full(extent, BACKGROUND, np.uint8)
    for number, image in enumerate(images):
        top, left = GAP + number // columns * (height + GAP), GAP + number % columns * (width + GAP)
        sheet[top : top + height, left : left + width] = image
    return write_png(sheet, MARK)
