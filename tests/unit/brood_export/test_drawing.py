"""Samples as pictures: each kind of them, and points of the plane."""

import numpy as np
import pytest

from brood.protocol.manifest import Sample
from brood_export.drawing import PITCHES, PLOT, SHOWN_FRAMES, SIDE, WAVE, drawn, enlarged, scatter

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


SOUND = Sample(layout="CT", range=(-1.0, 1.0), sample_rate_hz=8000)


def test_sound_is_a_waveform_over_a_spectrogram() -> None:
    quarter = np.sin(2 * np.pi * np.arange(4000) / 8).astype(np.float32)  # a quarter of the highest pitch
    picture = drawn(np.stack([quarter, quarter]), SOUND)
    assert (picture.shape, picture.dtype.name) == ((WAVE + PITCHES, PLOT), "uint8")
    wave, pitches = picture[:WAVE], picture[WAVE:]
    assert wave[0].all()
    assert wave[-1].all()
    assert set(pitches[:, 10:-10].argmax(0)) <= {PITCHES - 1 - PITCHES // 4, PITCHES - PITCHES // 4}
    assert pitches[: PITCHES // 2, 10:-10].max() < 64


def test_silence_and_a_single_sample_are_drawn_as_well() -> None:
    for length in (1, 5, 4000):
        picture = drawn(np.zeros((1, length), np.float32), SOUND)
        assert picture.shape == (WAVE + PITCHES, PLOT)
        np.testing.assert_array_equal(np.unique(np.nonzero(picture)[0]), [WAVE // 2])


def test_of_a_video_some_frames_are_shown_the_first_and_the_last_too() -> None:
    frames = np.broadcast_to(np.linspace(0, 1, 16, dtype=np.float32)[:, None, None, None], (16, 3, 8, 8))
    picture = drawn(frames, Sample(layout="TCHW", range=(0.0, 1.0), fps=8))
    assert picture.shape == (SIDE, SHOWN_FRAMES * SIDE, 3)
    shades = picture[0, ::SIDE, 0]
    assert (shades[0], shades[-1]) == (0, 255)
    assert (np.diff(shades.astype(int)) > 0).all()
    assert drawn(frames[:2], Sample(layout="TCHW", range=(0.0, 1.0), fps=8)).shape == (SIDE, 2 * SIDE, 3)
