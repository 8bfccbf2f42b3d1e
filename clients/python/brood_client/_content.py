"""One output of a sample as it came over the wire; decoded when it is looked at."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from brood_client._pictures import CHANNELS, MARK, Pixels, opened, pixels_of, write_png
from brood_client._sound import Audio, audio_of, of_pcm, read_pcm, write_wav
from brood_client._video import WRITTEN, frames_of, read_frames, write_frames

Array = npt.NDArray[Any]
Scalar = bool | int | float | str
Kind = Literal["image", "audio", "video", "tensor"]
PLAIN = ("raw", "npy")  # formats that hold a model's own numbers; others are files of pictures, sound or video
MADE_HERE: Mapping[Kind, tuple[str, ...]] = {  # of numbers; the first is what is saved if nothing is said
    "image": ("png",),
    "audio": ("wav",),
    "video": tuple(WRITTEN),
    "tensor": (),
}


@dataclass(frozen=True, slots=True)
class Content:
    """A tensor as bytes, or a file."""

    content: bytes
    format: str  # "raw": little-endian, C order; else "npy", "png", "webp", "jpeg", "wav", "flac", "mp4", "webm" …
    dtype: str  # of the decoded array
    shape: tuple[int, ...]  # of the decoded array
    # In raw or npy form: the values that are black and white, or full scale of sound.
    range: tuple[float, float] | None = None
    sample_rate_hz: int | None = None  # of sound
    fps: float | None = None  # of a video: frames a second

    @property
    def kind(self) -> Kind:
        """What it is to people."""
        if self.sample_rate_hz is not None:
            return "audio"
        plain, axes = self.format in PLAIN, len(self.shape)
        if self.fps is not None:
            return "video" if not plain or (axes == 4 and self.shape[1] in CHANNELS) else "tensor"
        shown = self.range is not None and axes == 3 and self.shape[0] in CHANNELS
        return "image" if shown or not plain else "tensor"

    @property
    def array(self) -> Array:
        """The values; of a file its pixels, 16-bit samples [samples, channels] or frames. Writable.

        Raises:
            ImportError: what reads such a file is not installed: Pillow, PyAV (MP4, WebM) or soundfile (FLAC).
        """
        if self.format == "raw":
            dtype = np.dtype(self.dtype).newbyteorder("<")
            return np.frombuffer(bytearray(self.content), dtype).reshape(self.shape)
        if self.format == "npy":
            found: Array = np.load(io.BytesIO(self.content), allow_pickle=False)
            return found
        match self.kind:
            case "audio":
                return read_pcm(self.content)
            case "video":
                return read_frames(self.content, self.format)
            case _:
                return np.array(opened(self.content))

    @property
    def pixels(self) -> Pixels:
        """uint8 [H, W] or [H, W, 3].

        Raises:
            ValueError: it is no picture.
            ImportError: as `array`.
        """
        self._check("image", "picture")
        return self.array if self.range is None else pixels_of(self.array, self.range)

    @property
    def audio(self) -> Audio:
        """The sound.

        Raises:
            ValueError: it is none.
            ImportError: as `array`.
        """
        self._check("audio", "sound")
        rate_hz = self.sample_rate_hz or 0
        return of_pcm(self.array, rate_hz) if self.range is None else audio_of(self.array, self.range, rate_hz)

    @property
    def frames(self) -> Pixels:
        """The frames of a video, uint8 [T, H, W] or [T, H, W, 3].

        Raises:
            ValueError: it is none.
            ImportError: as `array`.
        """
        self._check("video", "video")
        return self.array if self.range is None else frames_of(self.array, self.range)

    def _check(self, kind: Kind, called: str) -> None:
        if self.kind != kind:
            raise ValueError(f"this output is no {called}")

    def file(self, texts: Mapping[str, str], format: str | None = None) -> tuple[str, bytes]:
        """As a file: its format, and its bytes, with the mark of generated media and some texts.

        Args:
            texts: what made it, for files that are made here.
            format: None: as it came, if it came as a file; numbers become PNG, WAV, animated WebP or NPY.

        Raises:
            ValueError: it came in another form, of which that cannot be made here.
            ImportError: as `array`.
        """
        kind, made = self.kind, (*MADE_HERE[self.kind], "npy")
        wanted = format or (made[0] if self.format in PLAIN else self.format)
        if wanted == self.format:
            return wanted, self.content
        if wanted not in made:
            possible = ", ".join(dict.fromkeys((*made, *(() if self.format == "raw" else (self.format,)))))
            text = (
                f"this {kind} came as {self.format}, which is no {wanted}; here it can be {possible}; or ask the server"
            )
            raise ValueError(f"{text} for it: format={wanted!r}")
        return wanted, self._made(wanted, texts)

    def _made(self, format: str, texts: Mapping[str, str]) -> bytes:
        if format == "png":
            return write_png(self.pixels, {**MARK, **texts})
        if format == "wav":
            return write_wav(self.audio, texts)
        if format in WRITTEN:
            return write_frames(self.frames, self.fps or 1.0, format, texts)
        stream = io.BytesIO()
        np.save(stream, self.array, allow_pickle=False)
        return stream.getvalue()
