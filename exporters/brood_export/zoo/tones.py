"""The sounds of the shipped generators: half a second of four synthetic instruments, on 24 notes.

organ:   additive, eight drawbars that stay as they are, with vibrato
brass:   frequency modulation 1:1 whose index follows the loudness (Chowning 1973), with vibrato
bell:    frequency modulation 1:3 whose index and loudness die away
string:  an ideal string plucked at one point, whose higher partials die away sooner

Each has a random envelope, brightness, loudness, phase and a little detuning. Everything is drawn from a Philox
generator keyed by (split, chunk), so the first sounds of a longer request are the sounds of a shorter one.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import numpy.typing as npt

RATE = 16_000  # samples a second
SAMPLES = 8192  # 0.512 s
LOWEST = 48  # MIDI number of the first note, C3: 130.8 Hz
NOTES = 24
TIMBRES = ("organ", "brass", "bell", "string")
CLASSES = NOTES * len(TIMBRES)  # label = note * timbres + timbre
NOISE = 3e-4  # standard deviation of what a microphone adds

Split = Literal["train", "heldout", "classifier"]
Sounds = npt.NDArray[np.float32]  # [n, 1, SAMPLES] in -1..1
Labels = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_SPLITS: dict[Split, int] = {"train": 1, "heldout": 2, "classifier": 3}
_CHUNK = 250  # sounds drawn from one generator
_PARTIALS = 40  # of a string, at most
_HIGHEST = 7600.0  # Hz


def tones(split: Split, count: int) -> tuple[Sounds, Labels]:
    """`count` sounds of a split, float32 [count, 1, 8192] in -1..1, and their labels, int64 [count].

    Raises ValueError for an unknown split or a count below 1.
    """
    if split not in _SPLITS:
        raise ValueError(f"split is {split!r}; allowed are {', '.join(_SPLITS)}")
    if count < 1:
        raise ValueError(f"count is {count}; allowed is 1 or more")
    chunks = [_chunk(split, number) for number in range(-(-count // _CHUNK))]
    sounds, labels = (np.concatenate(parts)[:count] for parts in zip(*chunks, strict=True))
    return sounds, labels


def frequency(note: npt.ArrayLike) -> Floats:
    """Hz of notes 0 … 23, equal temperament, A4 = 440 Hz."""
    hertz: Floats = 440.0 * 2.0 ** ((np.asarray(note, np.float64) + LOWEST - 69) / 12.0)
    return hertz


def _chunk(split: Split, number: int) -> tuple[Sounds, Labels]:
    draw = np.random.Generator(np.random.Philox(np.random.SeedSequence([0, _SPLITS[split], number])))
    labels = draw.integers(0, CLASSES, _CHUNK)
    waves = np.empty((_CHUNK, SAMPLES))
    for timbre, play in enumerate((_organ, _brass, _bell, _string)):
        rows = np.flatnonzero(labels % len(TIMBRES) == timbre)
        waves[rows] = play(draw, frequency(labels[rows] // len(TIMBRES)))
    loudness = draw.uniform(0.2, 0.45, (_CHUNK, 1)) / np.abs(waves).max(1, keepdims=True)
    heard = waves * loudness + draw.normal(0.0, NOISE, waves.shape)
    return np.clip(heard, -1.0, 1.0)[:, None].astype(np.float32), labels


def _seconds() -> Floats:
    return np.arange(SAMPLES) / RATE


def _phase(draw: np.random.Generator, hertz: Floats, vibrato_cents: float) -> Floats:
    """Radians [n, SAMPLES] of the fundamental: detuned by up to 4 cents, with up to so much vibrato at 4.5 to 7 Hz."""
    n = (len(hertz), 1)
    rate, depth = draw.uniform(4.5, 7.0, n), draw.uniform(0.0, vibrato_cents, n)
    detuned, begun = draw.uniform(-4.0, 4.0, n), draw.uniform(0.0, 2.0 * math.pi, n)
    cents = detuned + depth * np.sin(2.0 * math.pi * rate * _seconds() + begun)
    steps = 2.0 * math.pi * hertz[:, None] * 2.0 ** (cents / 1200.0) / RATE
    phase: Floats = np.cumsum(steps, 1) + draw.uniform(0.0, 2.0 * math.pi, n)
    return phase


def _held(draw: np.random.Generator, n: int, slowest: float) -> Floats:
    """Loudness [n, SAMPLES] of a held note: a rise of up to `slowest` seconds, a slow fall, a release near the end."""
    t, rows = _seconds(), (n, 1)
    rise = 1.0 - np.exp(-3.0 * t / draw.uniform(0.2 * slowest, slowest, rows))
    fall = 1.0 - draw.uniform(0.0, 0.5, rows) * t / t[-1]
    end, length = draw.uniform(0.3, 0.46, rows), draw.uniform(0.02, 0.05, rows)
    loudness: Floats = rise * fall / (1.0 + np.exp((t - end) / (0.2 * length)))
    return loudness


def _struck(draw: np.random.Generator, n: int, shortest: float, longest: float) -> Floats:
    """Loudness [n, SAMPLES] of a struck note: it is there within milliseconds and dies away in so many seconds."""
    t, rows = _seconds(), (n, 1)
    loudness: Floats = (1.0 - np.exp(-t / 0.002)) * np.exp(-t / draw.uniform(shortest, longest, rows))
    return loudness


def _organ(draw: np.random.Generator, hertz: Floats) -> Floats:
    phase, drawbars = _phase(draw, hertz, 20.0), np.array([1.0, 0.8, 0.5, 0.5, 0.2, 0.35, 0.15, 0.3])
    levels = drawbars * np.exp(draw.normal(0.0, 0.5, (len(hertz), len(drawbars))))
    wave = sum(levels[:, k, None] * np.sin((k + 1) * phase) for k in range(len(drawbars)))
    return _held(draw, len(hertz), 0.05) * wave


def _brass(draw: np.random.Generator, hertz: Floats) -> Floats:
    phase, loudness = _phase(draw, hertz, 25.0), _held(draw, len(hertz), 0.15)
    index = draw.uniform(1.5, 4.0, (len(hertz), 1)) * loudness
    return loudness * np.sin(phase + index * np.sin(phase))


def _bell(draw: np.random.Generator, hertz: Floats) -> Floats:
    phase = _phase(draw, hertz, 0.0)
    index = draw.uniform(0.8, 2.0, (len(hertz), 1)) * np.exp(-_seconds() / draw.uniform(0.05, 0.25, (len(hertz), 1)))
    return _struck(draw, len(hertz), 0.15, 0.5) * np.sin(phase + index * np.sin(3.0 * phase))


def _string(draw: np.random.Generator, hertz: Floats) -> Floats:
    phase, n = _phase(draw, hertz, 0.0), (len(hertz), 1)
    place, damping = draw.uniform(0.1, 0.45, n), draw.uniform(0.1, 0.6, n)  # of the string's length; per second
    wave = np.zeros_like(phase)
    for k in range(1, _PARTIALS + 1):
        level = np.where(k * hertz[:, None] < _HIGHEST, np.sin(math.pi * k * place) / k, 0.0)
        wave += level * np.exp(-damping * k * k * _seconds()) * np.sin(k * phase)
    return _struck(draw, len(hertz), 0.15, 0.6) * wave
