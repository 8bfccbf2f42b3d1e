"""The videos of the shipped generators: one of the glyphs 0-9 moves through a small frame, turns, and bounces.

A video is 8 frames of 20x20. The glyph flies straight, at the speed and in the direction it began with, and is
reflected where its middle comes near the frame's edge; meanwhile it turns evenly. Font, size, weight, place and both
speeds are drawn from a Philox generator keyed by (split, chunk).
"""

from __future__ import annotations

import math
import pathlib
from typing import Literal

import numpy as np
import numpy.typing as npt

from brood_export.zoo.glyphs import CLASSES, DEFAULT_CACHE, FONTS, coverage, distance_fields, pixel_to_glyph

FRAMES, SIDE = 8, 20
FPS = 8.0
HEIGHT = (0.5, 0.6)  # of a glyph, in frames
SPEED = (0.03, 0.12)  # frame sides in one frame's time
TURN = 0.08  # radians in one frame's time, at most
ROOM = 0.2  # how far a glyph's middle gets from that of the frame, in frames

Split = Literal["train", "heldout"]
Videos = npt.NDArray[np.float32]  # [n, FRAMES, 1, SIDE, SIDE] in 0..1
Labels = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_SPLITS: dict[Split, int] = {"train": 4, "heldout": 5}
_REVISION = 1  # part of the cache file's name: raise it whenever the videos change
_CHUNK = 200  # videos drawn from one generator


def motion(split: Split, count: int, cache_dir: pathlib.Path | None = DEFAULT_CACHE) -> tuple[Videos, Labels]:
    """`count` videos of a split, float32 [count, 8, 1, 20, 20] in 0..1, and their labels, int64 [count].

    With `cache_dir` they are kept there and read back by the next call.
    Raises ValueError for an unknown split or a count below 1.
    """
    if split not in _SPLITS:
        raise ValueError(f"split is {split!r}; allowed are {', '.join(_SPLITS)}")
    if count < 1:
        raise ValueError(f"count is {count}; allowed is 1 or more")
    path = cache_dir and cache_dir / f"motion-{split}-{count}-r{_REVISION}.npz"
    if path and path.exists():
        with np.load(path) as stored:
            pixels, labels = stored["pixels"], stored["labels"]
    else:
        chunks = [_chunk(split, number) for number in range(-(-count // _CHUNK))]
        pixels, labels = (np.concatenate(parts)[:count] for parts in zip(*chunks, strict=True))
        if path:
            path.parent.mkdir(parents=True, exist_ok=True)
            partial = path.with_suffix(".partial.npz")
            np.savez_compressed(partial, pixels=pixels, labels=labels)
            partial.replace(path)
    return pixels[:, :, None].astype(np.float32) / np.float32(255.0), labels


def _chunk(split: Split, number: int) -> tuple[npt.NDArray[np.uint8], Labels]:
    draw = np.random.Generator(np.random.Philox(np.random.SeedSequence([0, _SPLITS[split], number])))
    labels, fonts = draw.integers(0, CLASSES, _CHUNK), draw.integers(0, len(FONTS), _CHUNK)
    weights, height = draw.uniform(-0.006, 0.03, _CHUNK), draw.uniform(*HEIGHT, _CHUNK)
    places = path(*_flight(draw)).reshape(-1, 2)
    turned = draw.uniform(-0.15, 0.15, (_CHUNK, 1)) + draw.uniform(-TURN, TURN, (_CHUNK, 1)) * _times()
    tall, thick = np.repeat(height, FRAMES), np.repeat(weights, FRAMES)
    shapes = np.repeat(distance_fields()[fonts, labels], FRAMES, 0)
    maps = pixel_to_glyph(tall, tall, np.zeros_like(tall), turned.ravel(), places)
    parts = [slice(k, k + 200) for k in range(0, len(maps), 200)]  # keeps the working set inside the processor's cache
    ink = np.concatenate([coverage(shapes[part], maps[part], thick[part], SIDE) for part in parts])
    return np.rint(ink * 255.0).astype(np.uint8).reshape(_CHUNK, FRAMES, SIDE, SIDE), labels


def _times() -> Floats:
    """Of the frames, around the middle one."""
    times: Floats = np.arange(FRAMES, dtype=np.float64) - 0.5 * (FRAMES - 1)
    return times


def _flight(draw: np.random.Generator) -> tuple[Floats, Floats]:
    """Place in the first frame and movement by the next one, both [_CHUNK, 2] in frames."""
    speed, angle = draw.uniform(*SPEED, _CHUNK), draw.uniform(0.0, 2.0 * math.pi, _CHUNK)
    return draw.uniform(-ROOM, ROOM, (_CHUNK, 2)), (speed * np.stack([np.cos(angle), np.sin(angle)])).T


def path(begun: Floats, velocity: Floats) -> Floats:
    """Places [n, FRAMES, 2] of what begins at [n, 2], moves by [n, 2] a frame, and is reflected at ±ROOM."""
    straight = begun[:, None] + np.arange(FRAMES)[:, None] * velocity[:, None]
    folded: Floats = np.abs((straight - ROOM) % (4.0 * ROOM) - 2.0 * ROOM) - ROOM
    return folded
