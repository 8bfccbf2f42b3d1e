"""The PNG writer: what an independent reader makes of its files."""

import io

import numpy as np
import pytest
from PIL import Image

from brood.media.png import international_chunk, text_chunk, write_png


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def read(content: bytes) -> Image.Image:
    with Image.open(io.BytesIO(content), formats=["PNG"]) as picture:
        picture.load()
        return picture


@pytest.mark.parametrize(
    "shape", [(1, 1), (28, 28), (3, 128), (3, 129), (200, 300), (1, 1, 3), (64, 64, 3), (5, 43, 3)]
)
def test_an_independent_reader_sees_the_same_picture(shape: tuple[int, ...]) -> None:
    pixels = noise(*shape)
    picture = read(write_png(pixels))
    assert picture.mode == ("L" if len(shape) == 2 else "RGB")
    assert np.array_equal(np.asarray(picture), pixels)


def test_shades_and_drawings_are_compressed() -> None:
    slope = np.add.outer(np.arange(256), np.arange(256)).astype(np.uint8)
    assert len(write_png(np.stack([slope] * 3, -1))) < slope.size / 20
    assert len(write_png(np.zeros((28, 28), np.uint8))) < 100


def test_memory_that_is_not_contiguous_is_read_right() -> None:
    pixels = noise(3, 20, 30).transpose(1, 2, 0)
    assert np.array_equal(np.asarray(read(write_png(pixels))), pixels)


def test_texts_are_written_in_order() -> None:
    texts = [text_chunk("a", "één"), text_chunk("b", "\N{SNOWMAN}"), international_chunk("c", "\N{SNOWMAN}")]
    content = write_png(noise(4, 4), texts)
    assert read(content).info == {"a": "één", "b": "?", "c": "\N{SNOWMAN}"}
    assert content.index(b"tEXta\0") < content.index(b"tEXtb\0") < content.index(b"iTXtc\0") < content.index(b"IDAT")


def test_equal_pictures_give_equal_bytes() -> None:
    assert write_png(noise(30, 30)) == write_png(noise(30, 30))
