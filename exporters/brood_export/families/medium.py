"""What the samples of a model are to people: pictures, sound, video, or numbers only."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from brood.media.formats import is_media
from brood.protocol.manifest import FPS, Layout, Output, Sample
from brood_export.errors import Misfit
from brood_export.families.base import Range

Kind = Literal["image", "audio", "video", "tensor"]
KINDS: dict[Layout, Kind] = {"CHW": "image", "TCHW": "video", "CT": "audio"}
SHAPES = {
    "audio": "channels, samples of sound; 1 or 2 channels",
    "video": "frames, channels, height, width; 1 or 3 channels",
}


@dataclass(frozen=True, slots=True)
class Medium:
    """Of one row: what it is called, and how it is to be seen or heard."""

    kind: Kind
    sample: Sample | None  # None: it is neither

    @property
    def word(self) -> str:
        """What a sample is, in one word: the name of inputs and outputs that are one."""
        return "sample" if self.kind == "tensor" else self.kind


def medium_of(
    shape: tuple[int, ...], value_range: Range, sample_rate_hz: int | None = None, fps: float | None = None
) -> Medium:
    """What rows of a shape are.

    Args:
        shape: without the rows axis: channels, height, width of a picture, of grey or RGB.
        value_range: what is black and white, or full scale.
        sample_rate_hz: given: it is sound, channels and samples.
        fps: given: it is a video, frames, channels, height and width; frames a second.

    Raises:
        Misfit: sound or video of another shape, or a rate that there is not.
    """
    if sample_rate_hz is not None and fps is not None:
        raise Misfit(f"sample_rate_hz: {sample_rate_hz} and fps: {fps:g}; allowed: one of them: sound or video")
    if sample_rate_hz is not None:
        _check("audio", shape, "sample_rate_hz", sample_rate_hz)
        return Medium("audio", Sample(layout="CT", range=value_range, sample_rate_hz=sample_rate_hz))
    if fps is not None:
        _check("video", shape, "fps", fps)
        return Medium("video", Sample(layout="TCHW", range=value_range, fps=fps))
    if is_media(Output(dtype="float32", shape=shape, kind="image")):
        return Medium("image", Sample(range=value_range))
    return Medium("tensor", None)


def _check(kind: Literal["audio", "video"], shape: tuple[int, ...], option: str, rate: float) -> None:
    low, high = FPS if kind == "video" else (1, math.inf)
    if not low <= rate <= high:
        raise Misfit(f"{option}: {rate:g} is not allowed; allowed: {low:g} to {high:g}")
    axes = {"audio": 2, "video": 4}[kind]
    if len(shape) != axes or not is_media(Output(dtype="float32", shape=shape, kind=kind)):
        raise Misfit(f"{option}: samples are {list(shape)} a row; allowed for {kind}: {SHAPES[kind]}")
