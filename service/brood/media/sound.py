"""Sound: WAV and FLAC files of 16-bit samples, with soundfile (libsndfile)."""

from __future__ import annotations

import io
from typing import Literal

import numpy as np

from brood.media.refused import Refused
from brood.protocol.manifest import Sample

SoundFormat = Literal["wav", "flac"]
CHANNELS = (1, 2)  # mono, stereo
FULL_SCALE = 2**15
ENCODINGS = ("PCM_U8", "PCM_S8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE")  # those that lose nothing


def sound_format(content: bytes) -> SoundFormat | None:
    """What a file is by how it begins (RIFF, or RFC 9639); None: no sound that is read here."""
    if content.startswith(b"RIFF") and content.startswith(b"WAVE", 8):
        return "wav"
    return "flac" if content.startswith(b"fLaC") else None


def to_pcm(array: np.ndarray, sample: Sample) -> np.ndarray:
    """Values to 16-bit samples: v = 2(x − lo)/(hi − lo) − 1, then ⌊2¹⁵·v + ½⌋, clipped to 16 bits; NaN becomes 0.

    Readers that divide by 2¹⁵, as most do, get every value back to half a step, but for 1, which is one step lower.

    Args:
        array: [channels, samples] of any real dtype.
        sample: its ``range`` is (lo, hi), full scale.

    Returns:
        int16, [samples, channels], as files have them.
    """
    lo, hi = sample.range
    centred = (array.T.astype(np.float64) - (lo + hi) / 2) * (2.0 / (hi - lo))
    steps = np.floor(np.nan_to_num(centred, nan=0.0, posinf=1.0, neginf=-1.0) * FULL_SCALE + 0.5)
    return np.ascontiguousarray(np.clip(steps, -FULL_SCALE, FULL_SCALE - 1).astype(np.int16))


def from_wave(wave: np.ndarray, sample: Sample) -> np.ndarray:
    """Samples of sound to values: lo + (hi − lo)(v + 1)/2 in float64, cast once.

    Args:
        wave: float64 [samples, channels], full scale is −1 to 1.

    Returns:
        float32 [channels, samples].
    """
    lo, hi = sample.range
    return np.ascontiguousarray((lo + (hi - lo) * (wave.T + 1.0) / 2).astype(np.float32))


def write_sound(pcm: np.ndarray, rate_hz: int, format: SoundFormat, comment: str) -> bytes:
    """A file; equal arguments give equal bytes with the same libsndfile.

    Args:
        pcm: int16 [samples, channels].
        comment: goes into ``ICMT`` of a WAV file's ``LIST INFO`` chunk, or the Vorbis comment ``COMMENT`` of FLAC.

    Raises:
        Refused: FLAC has no such sample rate.
    """
    import soundfile  # only here: most servers make no sound

    file = io.BytesIO()
    form = format.upper()
    try:
        with soundfile.SoundFile(file, "w", rate_hz, pcm.shape[1], "PCM_16", format=form) as writer:
            writer.software, writer.comment = "brood", comment
            writer.write(pcm)
    except soundfile.LibsndfileError as error:
        raise Refused("sample rate", rate_hz, f"those that {form} files can have") from error
    return file.getvalue()


def read_sound(content: bytes, format: SoundFormat, channels: int, samples: int, rate_hz: int) -> np.ndarray:
    """Decode a file of known rate, channels and length: those are held against its header before anything is decoded.

    Returns:
        float64 [samples, channels], full scale is −1 to 1.

    Raises:
        Refused: it is no such file, is damaged or cut off, loses part of the sound (as ADPCM does), or has another
            rate, number of channels or length.
    """
    if sound_format(content) != format:  # libsndfile would read much else
        raise Refused("b64", f"{len(content)} bytes", f"a {format.upper()} file")
    import soundfile

    try:
        with soundfile.SoundFile(io.BytesIO(content)) as reader:
            if reader.subtype not in ENCODINGS:
                raise Refused("encoding", reader.subtype, ", ".join(ENCODINGS))
            for part, found, wanted, unit in (
                ("sample rate", reader.samplerate, rate_hz, "Hz"),
                ("channels", reader.channels, channels, "channels"),
                ("length", reader.frames, samples, "samples a channel"),
            ):
                if found != wanted:
                    raise Refused(part, found, f"{wanted} {unit}")
            wave: np.ndarray = reader.read(samples, dtype="float64", always_2d=True)
    except (soundfile.SoundFileError, OSError, ValueError, RuntimeError) as error:
        raise Refused("b64", f"{len(content)} bytes", f"a whole {format.upper()} file") from error
    if len(wave) != samples:
        raise Refused("b64", f"{len(wave)} of {samples} samples", f"a whole {format.upper()} file; this one is cut off")
    return wave
