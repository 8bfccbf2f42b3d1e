"""Samples as pictures, whatever they are: uint8 [height, width], or [height, width, 3]."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from brood.media.pixels import to_pixels
from brood.protocol.manifest import Sample

Pixels = NDArray[np.uint8]

SIDE = 56  # pixels; smaller pictures are enlarged by a whole number to about this
PLOT = 160  # pixels, side of a scatter plot, width of a picture of sound
WAVE, PITCHES = 40, 64  # pixels, height of a waveform and of a spectrogram
WINDOW = 256  # samples of sound that one column of a spectrogram looks at, at least
DEPTH_DB = 70.0  # below the loudest, which is black
SHOWN_FRAMES = 8  # of a video


def drawn(array: NDArray[np.generic], sample: Sample) -> Pixels:
    """One sample, as its layout says.

    Args:
        array: [C, H, W], [T, C, H, W] or [channels, samples].
    """
    match sample.layout:
        case "CT":
            return sound(array, sample)
        case "TCHW":
            return film(array, sample)
        case _:
            return enlarged(to_pixels(array, sample))


def sound(array: NDArray[np.generic], sample: Sample) -> Pixels:
    """The waveform, and under it the spectrogram up to half the sample rate, low pitches at the bottom.

    Args:
        array: [channels, samples]; of several channels the mean is drawn.
    """
    lo, hi = sample.range
    wave = (2.0 * (array.astype(np.float64).mean(0) - lo) / (hi - lo) - 1.0).clip(-1.0, 1.0)
    return np.concatenate([waveform(wave), spectrogram(wave)])


def waveform(wave: NDArray[np.float64]) -> Pixels:
    """From the lowest to the highest value of each column's samples, white on black: [WAVE, PLOT]."""
    edges = np.linspace(0, len(wave), PLOT + 1).astype(int)
    drawing = np.zeros((WAVE, PLOT), np.uint8)
    for column, (start, end) in enumerate(pairwise(edges)):
        part = wave[min(start, len(wave) - 1) : max(end, start + 1)]
        high, low = ((1.0 - value) / 2.0 * (WAVE - 1) for value in (part.max(), part.min()))
        drawing[round(high) : round(low) + 1, column] = 255
    return drawing


def spectrogram(wave: NDArray[np.float64]) -> Pixels:
    """Magnitudes of the short-time Fourier transform under a Hann window, in dB below the loudest: [PITCHES, PLOT]."""
    window = max(WINDOW, 2 * len(wave) // PLOT)
    padded = np.pad(wave, window // 2)
    starts = np.linspace(0, len(padded) - window, PLOT).astype(int)
    frames = np.stack([padded[start : start + window] for start in starts]) * np.hanning(window)
    power = np.abs(np.fft.rfft(frames)[:, 1:]) ** 2  # without what does not swing
    bins = np.add.reduceat(power, np.linspace(0, power.shape[1], PITCHES, endpoint=False).astype(int), axis=1)
    decibels = 10.0 * np.log10(bins / max(bins.max(), 1e-12) + 1e-12)
    shades: Pixels = np.rint(255 * (1.0 + decibels / DEPTH_DB).clip(0.0, 1.0)).astype(np.uint8)
    return shades.T[::-1]


def film(array: NDArray[np.generic], sample: Sample) -> Pixels:
    """At most SHOWN_FRAMES frames of a video [T, C, H, W], evenly chosen, from left to right."""
    shown = np.linspace(0, len(array) - 1, min(SHOWN_FRAMES, len(array))).round().astype(int)
    return np.concatenate([enlarged(to_pixels(array[frame], sample)) for frame in shown], axis=1)


def enlarged(pixels: Pixels) -> Pixels:
    """Pixels [height, width] or [height, width, 3], each repeated so that the height is at least SIDE."""
    factor = -(-SIDE // len(pixels))
    return pixels.repeat(factor, axis=0).repeat(factor, axis=1)


def scatter(points: NDArray[np.generic], half: float) -> Pixels:
    """Points [m, 2] of the square ±`half` as dots of 3x3 pixels, white on black, y upwards: [PLOT, PLOT]."""
    places = np.floor((points.astype(np.float64) / half + 1.0) / 2.0 * PLOT).astype(int).clip(1, PLOT - 2)
    plot = np.zeros((PLOT, PLOT), np.uint8)
    for x, y in places:
        plot[PLOT - 2 - y : PLOT + 1 - y, x - 1 : x + 2] = 255
    return plot
