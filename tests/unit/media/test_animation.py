"""GIF, APNG and WebP of several frames: what they show, for how long, and what is written into them."""

import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageSequence

from brood.media.animation import delays, write_animated_webp, write_apng, write_gif
from brood.media.encode import encode_output
from brood.media.stamp import SOURCE_TYPE, Stamp
from brood.protocol.manifest import Output, Sample
from brood.protocol.requests import OutputFormat

STAMP = Stamp(model="motion-diffusion", version=3, operation="generate", seed=2**62, index=17)
SAMPLE = Sample(layout="TCHW", range=(0.0, 1.0), fps=8)
GREY = np.random.default_rng(7).integers(0, 256, (5, 6, 9), np.uint8)
COLOURS = np.random.default_rng(8).integers(0, 256, (5, 6, 9, 3), np.uint8)
LOSSLESS: dict[str, Callable[[np.ndarray, float], bytes]] = {
    "apng": write_apng,
    "webp": lambda frames, fps: write_animated_webp(frames, fps, "x", b""),
}


def shown(content: bytes) -> np.ndarray:
    """uint8 [T, H, W, 3]."""
    with Image.open(io.BytesIO(content)) as file:
        return np.stack([np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(file)])


@pytest.mark.parametrize("frames", [GREY, COLOURS, GREY[:1], COLOURS[:, :1, :1]], ids=["grey", "rgb", "one", "dot"])
@pytest.mark.parametrize("form", LOSSLESS)
def test_nothing_is_lost(form: str, frames: np.ndarray) -> None:
    pictures = frames if frames.ndim == 4 else np.repeat(frames[..., None], 3, -1)
    np.testing.assert_array_equal(shown(LOSSLESS[form](frames, 8)), pictures)


def test_gif_keeps_grey_and_comes_close_to_colours() -> None:
    np.testing.assert_array_equal(shown(write_gif(GREY, 8, "x"))[..., 0], GREY)
    smooth = np.stack(np.broadcast_arrays(*np.ogrid[0:256:8, 0:256:8], 90), -1)[None].astype(np.uint8)
    assert np.abs(shown(write_gif(smooth, 8, "x")).astype(int) - smooth).max() <= 24


def test_frames_that_are_alike_are_still_frames_of_an_apng() -> None:
    assert len(shown(write_apng(np.zeros((4, 2, 2), np.uint8), 8))) == 4


@pytest.mark.parametrize("fps", [1, 7, 24, 29.97, 60, 240])
def test_delays_do_not_drift(fps: float) -> None:
    for units in (100, 1000):
        ends = np.cumsum(delays(50, fps, units))
        assert np.abs(ends - units * np.arange(1, 51) / fps).max() <= 0.5


@pytest.mark.parametrize(("fps", "ms"), [(8, 125), (1, 1000), (0.001, 1_000_000)])
def test_an_apng_says_how_long_a_frame_is_shown(fps: float, ms: float) -> None:
    with Image.open(io.BytesIO(write_apng(GREY, fps))) as file:
        assert file.info["duration"] == pytest.approx(ms)
        assert file.info["loop"] == 0


def test_a_gif_is_shown_for_whole_hundredths_but_never_so_short_that_viewers_slow_it_down() -> None:
    for fps, durations in ((8, [120, 130, 130, 120, 120]), (1000, [20] * 5)):
        with Image.open(io.BytesIO(write_gif(GREY, fps, "x"))) as file:
            assert file.info["loop"] == 0
            found = [frame.info["duration"] for frame in ImageSequence.Iterator(file)]
            assert sum(found) == sum(durations)
            assert found == durations


@pytest.mark.parametrize("form", ["gif", "apng", "webp"])
def test_a_file_says_what_made_it_and_is_equal_for_equal_samples(form: OutputFormat) -> None:
    array = np.random.default_rng(7).random((4, 3, 6, 9), np.float32)
    output = Output(dtype="float32", shape=array.shape, kind="video")
    encoded = encode_output(array, output, SAMPLE, form, STAMP)
    assert encoded == encode_output(array.copy(), output, SAMPLE, form, STAMP)
    assert (encoded.format, encoded.dtype, encoded.shape, encoded.fps) == (form, "uint8", (4, 6, 9, 3), 8.0)
    assert len(shown(bytes(encoded.content))) == 4
    with Image.open(io.BytesIO(encoded.content)) as file:
        match form:
            case "gif":
                assert file.info["comment"].decode() == STAMP.sentence()
            case "webp":
                assert file.getexif()[0x010E] == STAMP.sentence()
                assert SOURCE_TYPE.encode() in file.info["xmp"]
            case _:
                words = file.info
                assert (words["Software"], words["seed"], words["index"]) == ("brood", "4611686018427387904", "17")
                assert "AI-generated" in words["Comment"]


def test_webp_of_less_quality_is_fewer_bytes() -> None:
    files = [write_animated_webp(COLOURS, 8, "x", b"", quality) for quality in (0, 100)]
    assert len(files[0]) < len(files[1])
