"""Sound and WAV files, with numpy alone; soundfile only where a caller asks for what came as FLAC."""

from __future__ import annotations

import io
import struct
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from brood_client._pictures import MARK

FULL_SCALE = 2**15
RIFF, WAVE, FLAC = b"RIFF", b"WAVE", b"fLaC"  # how the files begin; WAVE at byte 8
PCM, BITS = 1, 16


class Audio(NamedTuple):
    """A sound."""

    array: npt.NDArray[np.float32]  # [channels, samples], full scale is −1 to 1
    sample_rate_hz: int


def audio_of(values: npt.NDArray[Any], shown: tuple[float, float], sample_rate_hz: int) -> Audio:
    """A model's own numbers as sound: 2(x − lo)/(hi − lo) − 1.

    Args:
        values: [channels, samples].
        shown: lo and hi, full scale.
    """
    lo, hi = shown
    return Audio((2.0 * (values.astype(np.float64) - lo) / (hi - lo) - 1.0).astype(np.float32), sample_rate_hz)


def of_pcm(pcm: npt.NDArray[np.int16], sample_rate_hz: int) -> Audio:
    """16-bit samples [samples, channels] as sound."""
    return Audio(np.ascontiguousarray(pcm.T / np.float32(FULL_SCALE)), sample_rate_hz)


def write_wav(audio: Audio, texts: Mapping[str, str]) -> bytes:
    """A WAV file of 16-bit samples, as the server makes them: ⌊2¹⁵·v + ½⌋, clipped; what made it as a comment.

    Chunks ``fmt``, ``LIST INFO`` and ``data`` (Multimedia Programming Interface and Data Specifications 1.0).
    """
    steps = np.floor(np.nan_to_num(audio.array.T.astype(np.float64)) * FULL_SCALE + 0.5)
    content = np.clip(steps, -FULL_SCALE, FULL_SCALE - 1).astype("<i2").tobytes()
    channels, rate = len(audio.array), audio.sample_rate_hz
    width = channels * BITS // 8
    head = struct.pack("<HHIIHH", PCM, channels, rate, rate * width, width, BITS)
    told = "; ".join([MARK["Comment"], *(f"{name} {text}" for name, text in texts.items())])
    words = b"INFO" + _text(b"ISFT", MARK["Software"]) + _text(b"ICMT", told)
    body = WAVE + _chunk(b"fmt ", head) + _chunk(b"LIST", words) + _chunk(b"data", content)
    return _chunk(RIFF, body)


def _text(name: bytes, text: str) -> bytes:
    return _chunk(name, text.encode("ascii", "replace") + b"\0")


def _chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def read_pcm(content: bytes) -> npt.NDArray[np.int16]:
    """The samples of a WAV or FLAC file of a server, [samples, channels].

    Raises:
        ImportError: it is FLAC, and soundfile, which reads that, is not installed.
    """
    if content.startswith(FLAC):
        try:
            import soundfile
        except ImportError as error:
            raise ImportError('this needs soundfile: pip install soundfile, or ask for format="wav"') from error
        pcm: npt.NDArray[np.int16] = soundfile.read(io.BytesIO(content), dtype="int16", always_2d=True)[0]
        return pcm
    import wave

    with wave.open(io.BytesIO(content)) as file:
        frames = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.int16)
        return frames.reshape(-1, file.getnchannels())


def sound_format(content: bytes) -> str | None:
    """``wav`` or ``flac``, if it is a file of these."""
    if content.startswith(RIFF) and content.startswith(WAVE, 8):
        return "wav"
    return "flac" if content.startswith(FLAC) else None
