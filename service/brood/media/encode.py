"""Outputs to bytes: files of pictures, sound and video, npy and raw for every tensor."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from brood.media.animation import write_animated_webp, write_apng, write_gif
from brood.media.formats import PLAIN, check_installed, output_formats
from brood.media.npy import Bytes, memory, write_npy
from brood.media.pictures import write_jpeg, write_webp
from brood.media.pixels import to_pixels
from brood.media.png import write_png
from brood.media.refused import Refused
from brood.media.sound import SoundFormat, to_pcm, write_sound
from brood.media.stamp import XMP, Stamp
from brood.media.video import evened, write_video
from brood.protocol.errors import InvalidArgument
from brood.protocol.manifest import Output, Sample
from brood.protocol.requests import OutputFormat

__all__ = ["Bytes", "Encoded", "Stamp", "encode_output"]

KINDS = ("image", "audio", "video")


@dataclass(frozen=True, slots=True)
class Encoded:
    """One output as bytes, and what they decode to."""

    content: Bytes  # as ``raw``, those of the array itself, uncopied
    format: OutputFormat
    dtype: str  # of the decoded array; uint8 for pictures and video, int16 for sound
    # Of the decoded array: of a picture [H, W] or [H, W, 3], of a video [T, H, W] or [T, H, W, 3], of sound [samples,
    # channels].
    shape: tuple[int, ...]
    range: tuple[float, float] | None = None  # as npy or raw: the values that are black and white, or full scale
    sample_rate_hz: int | None = None  # of sound
    fps: float | None = None  # of video


def encode_output(
    array: np.ndarray,
    output: Output,
    sample: Sample | None,
    format: OutputFormat,
    stamp: Stamp,
    quality: int | None = None,
) -> Encoded:
    """Encode one output of one sample.

    Args:
        array: of the output's declared dtype and row shape; [C, H, W] for an image, [channels, samples] for sound,
            [T, C, H, W] for video.
        sample: how to read it; None if the model has nothing to see or to hear.
        format: one of `output_formats`: npy is of version 1.0, raw little-endian, C order, bool as one byte.
        stamp: goes into files of pictures, sound and video.
        quality: of ``webp``, ``jpeg``, ``mp4`` and ``webm``, 0 to 100 (see what writes them).

    Raises:
        InvalidArgument: ``output.format`` cannot show this output.
    """
    if format in PLAIN:
        return _plain(array, output, sample, format)
    if sample is None or format not in output_formats(output):
        raise InvalidArgument(
            f"output.format: '{format}' cannot show an output of kind {output.kind!r} and shape {list(array.shape)}; "
            f"allowed: {', '.join(PLAIN if sample is None else output_formats(output))}",
            field="output.format",
        )
    check_installed(format, output)
    match output.kind:
        case "audio":
            return _sound(array, sample, format, stamp)
        case "video":
            return _video(array, sample, format, stamp, quality)
        case _:
            return _picture(array, sample, format, stamp, quality)


def _plain(array: np.ndarray, output: Output, sample: Sample | None, format: OutputFormat) -> Encoded:
    little = array.astype(_little(array.dtype), "C", copy=False)
    content = memory(little) if format == "raw" else write_npy(little)
    kind, dtype, shape = output.kind, output.dtype, array.shape
    if sample is None or kind not in KINDS:
        return Encoded(content, format, dtype, shape)
    rate, fps = sample.sample_rate_hz if kind == "audio" else None, sample.fps if kind == "video" else None
    return Encoded(content, format, dtype, shape, sample.range, rate, fps)


@lru_cache(64)
def _little(dtype: np.dtype[Any]) -> np.dtype[Any]:
    return dtype.newbyteorder("<")


def _picture(array: np.ndarray, sample: Sample, format: OutputFormat, stamp: Stamp, quality: int | None) -> Encoded:
    pixels = to_pixels(array, sample)
    if format == "png":
        content = write_png(pixels, stamp.texts())
    else:
        content = (write_webp if format == "webp" else write_jpeg)(pixels, stamp.sentence(), XMP.encode(), quality)
    return Encoded(content, format, "uint8", pixels.shape)


def _sound(array: np.ndarray, sample: Sample, format: OutputFormat, stamp: Stamp) -> Encoded:
    assert sample.sample_rate_hz is not None  # the manifest says so of every sound
    pcm = to_pcm(array, sample)
    form: SoundFormat = "flac" if format == "flac" else "wav"
    try:
        content = write_sound(pcm, sample.sample_rate_hz, form, stamp.sentence())
    except Refused as refused:
        text = f"output.format: '{format}' cannot hold {sample.sample_rate_hz} Hz; allowed: wav, raw, npy"
        raise InvalidArgument(text, field="output.format") from refused
    return Encoded(content, format, "int16", pcm.shape, sample_rate_hz=sample.sample_rate_hz)


def _video(array: np.ndarray, sample: Sample, format: OutputFormat, stamp: Stamp, quality: int | None) -> Encoded:
    assert sample.fps is not None  # the manifest says so of every video
    frames, fps = np.stack([to_pixels(frame, sample) for frame in array]), sample.fps
    comment, xmp = stamp.sentence(), XMP.encode()
    match format:
        case "gif":
            content = write_gif(frames, fps, comment)
        case "apng":
            content = write_apng(frames, fps, stamp.texts())
        case "webp":
            content = write_animated_webp(frames, fps, comment, xmp, quality)
        case _:
            frames = evened(frames)
            content = write_video(frames, fps, "webm" if format == "webm" else "mp4", comment, xmp, quality)
    return Encoded(content, format, "uint8", frames.shape, fps=fps)
