"""Measurements of sounds that know nothing of the models: pitch by autocorrelation, partials, a distance of spectra."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

HEARD = slice(800, 5600)  # samples in which pitch is looked for: 50 to 350 ms at 16 kHz
FRAME, HOP = 512, 128  # of a spectrum, samples
QUIET = 1e-3  # amplitude below which nothing is told apart, -60 dB


def pitch(sounds: npt.NDArray[np.floating], rate: int, lowest: float = 100.0, highest: float = 600.0) -> Floats:
    """Hz [n] of sounds [n, samples]: the first high peak of the window-corrected autocorrelation (Boersma 1993).

    A later peak that is little higher is a multiple of the period, not the period.
    """
    part = sounds[:, HEARD].astype(np.float64)
    window = np.hanning(part.shape[1])
    found = correlation((part - part.mean(1, keepdims=True)) * window) / np.maximum(correlation(window[None]), 1e-9)
    shortest, longest = int(rate / highest), int(rate / lowest) + 1
    return np.array([rate / _period(row, shortest, longest) for row in found])


def correlation(x: Floats) -> Floats:
    """Autocorrelation [n, samples] of x [n, samples], 1 at lag 0."""
    size = 2 * x.shape[1]
    raw = np.fft.irfft(np.abs(np.fft.rfft(x, size)) ** 2, size)[:, : x.shape[1]]
    one: Floats = raw / np.maximum(raw[:, :1], 1e-12)
    return one


def _period(row: Floats, shortest: int, longest: int) -> float:
    """Samples of one period; the peak's place between samples is that of the parabola through three of them."""
    lags = np.arange(shortest, longest)
    here, before, after = row[lags], row[lags - 1], row[lags + 1]
    peaks = lags[(here >= before) & (here > after)]
    if not len(peaks):
        return float(shortest)
    lag = next(int(k) for k in peaks if row[k] >= 0.92 * row[peaks].max())
    left, middle, right = row[lag - 1 : lag + 2]
    return float(lag + 0.5 * (left - right) / (left - 2.0 * middle + right))


def cents(found: Floats, wanted: Floats) -> Floats:
    """Hundredths of a semitone [n] from the wanted frequencies to those found."""
    distance: Floats = 1200.0 * np.log2(found / wanted)
    return distance


def spectra(sounds: npt.NDArray[np.floating]) -> Floats:
    """Amplitudes [n, frames, bins] of sounds [n, samples], a sine of amplitude 1 being 1 in its bin."""
    frames = np.lib.stride_tricks.sliding_window_view(sounds, FRAME, axis=1)[:, ::HOP]
    window = np.hanning(FRAME)
    amplitudes: Floats = np.abs(np.fft.rfft(frames * window, axis=2)) * (2.0 / window.sum())
    return amplitudes


def partials(sounds: npt.NDArray[np.floating], rate: int, hertz: Floats, count: int) -> Floats:
    """Amplitudes [n, frames, count] of the first partials of frequencies [n]: the highest of the three bins around."""
    seen = np.pad(spectra(sounds), ((0, 0), (0, 0), (0, 1)))
    places = np.rint(hertz[:, None] * np.arange(1, count + 1) * (FRAME / rate)).astype(int)
    near = np.minimum(places[..., None] + np.arange(-1, 2), seen.shape[2] - 1)
    found: Floats = (
        np.take_along_axis(seen, near.reshape(len(seen), 1, -1), 2).reshape(*seen.shape[:2], count, 3).max(3)
    )
    return found


def log_spectral_distance(a: npt.NDArray[np.floating], b: npt.NDArray[np.floating]) -> Floats:
    """Root mean square difference in dB [n] of the spectra of sounds [n, samples], with a floor of -60 dB."""
    one, other = (20.0 * np.log10(np.maximum(spectra(x), QUIET)) for x in (a, b))
    distance: Floats = np.sqrt(np.square(one - other).mean((1, 2)))
    return distance
