"""What an answer offers."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from brood_client import Content, Generation, Preview, Sample

GREYS = np.array([[[0.0, 0.5, 1.0]]], np.float32)  # [1, 1, 3]


def content(array: Any, shown: tuple[float, float] | None = None) -> Content:
    array = np.asarray(array)
    return Content(array.tobytes(), "raw", array.dtype.name, array.shape, shown)


def generation(*outputs: dict[str, Any]) -> Generation:
    samples = tuple(Sample(index, 7, each) for index, each in enumerate(outputs))
    return Generation("id-1", "tiny", 1, "generate", 7, "exact", samples)


def pictures(n: int) -> Generation:
    return generation(*({"image": content(GREYS * (1 - each / 10), (0.0, 1.0)), "label": each} for each in range(n)))


def test_the_array_stacks_the_first_array_output() -> None:
    one, two = np.zeros((1, 2)), np.ones((1, 2))
    made = generation(
        {"label": 3, "sample": content(one), "z": content(two)}, {"label": 4, "sample": content(two), "z": content(one)}
    )
    np.testing.assert_array_equal(made.array, [one, two])
    assert list(made.arrays) == ["label", "sample", "z"]
    np.testing.assert_array_equal(made.arrays["label"], [3, 4])
    assert list(made[0].outputs) == ["label", "sample", "z"]
    np.testing.assert_array_equal(made[0].array, one)


def test_scalars_alone_do_not_stack() -> None:
    made = generation({"energy": 0.5, "label": 3})
    with pytest.raises(ValueError, match=r"tiny/generate gives scalars only: energy, label; see .arrays"):
        _ = made.array
    with pytest.raises(ValueError, match="there is no picture here; outputs: energy, label"):
        _ = made.image
    with pytest.raises(ValueError, match="there is no array here; outputs: energy, label"):
        _ = made[0].array


def test_it_is_a_sequence_of_samples() -> None:
    made = pictures(3)
    assert len(made) == 3
    assert list(made) == list(made.samples)
    assert made[-1].index == 2
    assert repr(made) == "<Generation id-1: tiny 1 generate, 3 samples, seed 7>"
    assert repr(made[1]) == "Sample(index=1, seed=7, image: float32 [1, 1, 3], label: 1)"
    assert repr(pictures(1)) == "<Generation id-1: tiny 1 generate, 1 sample, seed 7>"


def test_pictures() -> None:
    made = pictures(1)
    assert made.image.size == (3, 1)
    assert np.asarray(made.image).tolist() == [[0, 128, 255]]
    with Image.open(io.BytesIO(made.pngs[0])) as image:
        assert image.info["Comment"].startswith("AI-generated")
        assert (image.info["model"], image.info["seed"], image.info["index"]) == ("tiny", "7", "0")
    assert len(pictures(4).images) == 4
    with pytest.raises(ValueError, match=r"there are 4 samples; take .images, or .sheet\(\)"):
        _ = pictures(4).image


def test_colours() -> None:
    red = np.zeros((3, 2, 2), np.float32)
    red[0] = 1
    made = generation({"image": content(red, (0.0, 1.0))})
    assert made.image.getpixel((0, 0)) == (255, 0, 0)


def test_channels_that_nobody_can_see() -> None:
    made = generation({"image": content(np.zeros((2, 4, 4)), (0.0, 1.0))})
    assert made._repr_png_() is None
    with pytest.raises(ValueError, match="there is no picture here; outputs: image"):
        _ = made.image
    with pytest.raises(ValueError, match="this output is no picture"):
        _ = content(np.zeros((2, 4, 4)), (0.0, 1.0)).pixels


def test_the_sheet_has_all_pictures() -> None:
    with Image.open(io.BytesIO(pictures(5).sheet(columns=2))) as sheet:
        assert sheet.size == (2 + 2 * (3 + 2), 2 + 3 * (1 + 2))
        assert [sheet.getpixel((2 + column, 2)) for column in range(3)] == [0, 128, 255]


def test_files(tmp_path: Path) -> None:
    made = generation({"image": content(GREYS, (0.0, 1.0)), "label": 3, "latent": content(np.arange(2.0))})
    files = made.save(tmp_path / "out")
    assert [path.name for path in files] == ["000000-image.png", "000000-latent.npy", "sheet.png", "samples.json"]
    assert np.load(files[1]).tolist() == [0.0, 1.0]
    assert json.loads(files[3].read_text()) == {
        "model": "tiny",
        "version": 1,
        "operation": "generate",
        "determinism": "exact",
        "samples": [{"index": 0, "seed": 7, "label": 3}],
    }


def test_pictures_that_came_as_files_are_handed_on(tmp_path: Path) -> None:
    png, stream = pictures(1).pngs[0], io.BytesIO()
    Image.new("L", (3, 1), 100).save(stream, "JPEG")
    jpeg = stream.getvalue()
    made = generation({"image": Content(png, "png", "uint8", (1, 3))})
    assert made.pngs == [png]
    assert made.array.tolist() == [[[0, 128, 255]]]
    photo = generation({"image": Content(jpeg, "jpeg", "uint8", (1, 3))})
    assert photo.save(tmp_path)[0].read_bytes() == jpeg
    assert (tmp_path / "000000-image.jpeg").exists()
    assert photo.image.size == (3, 1)


def test_notebooks() -> None:
    one, many = pictures(1), pictures(3)
    assert one._repr_png_() == one.pngs[0]
    assert many._repr_png_() == many.sheet()
    assert many[0]._repr_png_() == many[0].png
    page = many._repr_html_()
    assert page.count('<img src="data:image/png;base64,') == 3
    assert 'title="index 2"' in page
    assert "… and 5 more" in pictures(105)._repr_html_()


def test_notebooks_without_pictures() -> None:
    made = generation({"energy": 0.5, "<b>": content(np.zeros(2))})
    assert made._repr_png_() is None
    assert made[0]._repr_png_() is None
    page = made._repr_html_()
    assert "<td>0</td><td>float64 [2]</td><td>0.5</td>" in page
    assert "&lt;b&gt;" in page


def test_a_preview_says_how_far_it_is() -> None:
    preview = Preview(3, 7, {"image": content(GREYS, (0.0, 1.0))}, step=2, of=5)
    assert repr(preview) == "Preview(index=3, seed=7, step=2, of=5, image: float32 [1, 1, 3])"
    assert preview.image.size == (3, 1)


def test_without_pillow(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    made = pictures(2)
    assert made.sheet().startswith(b"\x89PNG")
    assert len(made.save(tmp_path)) == 4
    with pytest.raises(ImportError, match="this needs Pillow: pip install pillow"):
        _ = made.images
