"""Video: MP4 (H.264) and WebM (VP9) files, with PyAV (FFmpeg), which is installed by ``pip install 'brood[video]'``."""

from __future__ import annotations

import io
import struct
import uuid
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Literal, cast

import numpy as np

if TYPE_CHECKING:
    from av import VideoStream

VideoFormat = Literal["mp4", "webm"]
QUALITY = 66  # "visually without loss": a rate factor of 18 of H.264, 21 of VP9
RATE_LIMIT = 1001  # the largest denominator of frame rates as they are: 30000/1001 …
XMP_BOX = uuid.UUID("be7acfcb-97a9-42e8-9c71-999491e3afac").bytes  # XMP part 3, section 1.2.7.1: ISO base media


@dataclass(frozen=True, slots=True)
class _Codec:
    name: str
    options: dict[str, str]
    best: int  # constant rate factor that stands for quality 100; 0 of H.264 is a profile that few players know
    worst: int

    def rate_factor(self, quality: int) -> int:
        return self.best + round((self.worst - self.best) * (100 - quality) / 100)


# x264's look-ahead reads memory that nobody has written: with it, the same frames now and then gave other bytes.
NO_LOOK_AHEAD = "rc-lookahead=0:mbtree=0:bframes=0:weightp=0:scenecut=0"
CODECS: dict[VideoFormat, _Codec] = {
    "mp4": _Codec("libx264", {"preset": "medium", "x264-params": NO_LOOK_AHEAD}, 1, 51),
    "webm": _Codec("libvpx-vp9", {"b": "0", "deadline": "good", "cpu-used": "4", "row-mt": "0"}, 0, 63),
}
BITEXACT = {"fflags": "+bitexact"}  # no times, no versions, no random ids
CONTENTS, CONTENTS_A_FRAME = 2048, 32  # bytes reserved for an MP4 file's table of contents


def write_video(
    frames: np.ndarray, fps: float, format: VideoFormat, comment: str, xmp: bytes, quality: int | None = None
) -> bytes:
    """A file that browsers play: colours as 4:2:0, BT.601, limited range. It loses a little, whatever the quality.

    Equal arguments give equal bytes with the same FFmpeg on the same kind of machine.

    Args:
        frames: uint8 [T, H, W] (grey) or [T, H, W, 3] (RGB), H and W as `evened` makes them.
        comment: goes into the container's metadata.
        xmp: an XMP packet; MP4 files carry it in a box of their own.
        quality: 0 to 100; None: 66.
    """
    import av  # only here: it is large, and need not be installed

    codec, file = CODECS[format], io.BytesIO()
    rate = Fraction(fps).limit_denominator(RATE_LIMIT)
    factor = codec.rate_factor(QUALITY if quality is None else quality)
    # With its table of contents in front, a player can start at once.
    room = {"moov_size": str(CONTENTS + CONTENTS_A_FRAME * len(frames))} if format == "mp4" else {}
    with av.open(file, "w", format=format, container_options=BITEXACT | room) as container:
        container.metadata["comment"] = comment
        options = {**codec.options, "crf": str(factor)}
        stream = cast("VideoStream", container.add_stream(codec.name, rate=rate, options=options))
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt, stream.bit_rate = "yuv420p", 0
        context = stream.codec_context
        context.thread_count = 1  # how many decides on the bytes
        context.flags |= av.codec.context.Flags.bitexact
        context.colorspace, context.color_range = av.video.reformatter.Colorspace.ITU601, 1
        for frame in frames:
            pixels = frame if frame.ndim == 3 else np.repeat(frame[..., None], 3, -1)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), "rgb24")))
        container.mux(stream.encode())
    return file.getvalue() + (_box(XMP_BOX + xmp) if format == "mp4" else b"")


def evened(frames: np.ndarray) -> np.ndarray:
    """Frames [T, H, W, …] of even height and width, which 4:2:0 needs: the last row or column is shown twice."""
    edges = [(0, 0), (0, frames.shape[1] % 2), (0, frames.shape[2] % 2), (0, 0)]
    return np.pad(frames, edges[: frames.ndim], "edge")


def _box(content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), b"uuid") + content
