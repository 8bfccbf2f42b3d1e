"""Frames of videos, and files of them. Pillow reads and writes what viewers of pictures show; PyAV reads the others."""

from __future__ import annotations

import io
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

import numpy as np
import numpy.typing as npt

from brood_client._pictures import MARK, Pixels, pixels_of

WRITTEN = {"webp": "WEBP", "gif": "GIF", "apng": "PNG"}  # format → Pillow's word
SOFTWARE, DESCRIPTION = 0x0131, 0x010E  # tags of Exif


def frames_of(values: npt.NDArray[Any], shown: tuple[float, float]) -> Pixels:
    """Values [T, C, H, W] to pixels, uint8 [T, H, W] or [T, H, W, 3]; see `pixels_of`."""
    return np.stack([pixels_of(frame, shown) for frame in values])


def read_frames(content: bytes, format: str) -> Pixels:
    """The frames of a file, uint8 [T, H, W, 3], or [T, H, W] of one without colours.

    Raises:
        ImportError: what reads it is not installed: PyAV for ``mp4`` and ``webm``, Pillow for the others.
    """
    if format in WRITTEN:
        _check_pillow()
        from PIL import Image, ImageSequence

        with Image.open(io.BytesIO(content)) as file:
            mode = "L" if file.mode == "L" else "RGB"
            return np.stack([np.asarray(frame.convert(mode)) for frame in ImageSequence.Iterator(file)])
    try:
        import av
    except ImportError as error:
        raise ImportError('this needs PyAV: pip install av, or ask for format="webp"') from error
    with av.open(io.BytesIO(content), "r") as container:
        frames: list[Pixels] = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]  # type: ignore[misc]
    return np.stack(frames)


def write_frames(frames: Pixels, fps: float, format: str, texts: Mapping[str, str]) -> bytes:
    """A file that plays for ever, with what made it as a comment.

    Args:
        frames: uint8 [T, H, W] or [T, H, W, 3].
        format: ``webp`` and ``apng``, both without loss, or ``gif``.

    Raises:
        ImportError: Pillow is not installed.
    """
    _check_pillow()
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    told = "; ".join([MARK["Comment"], *(f"{name} {text}" for name, text in texts.items())])
    exif, info = Image.Exif(), PngInfo()
    exif[SOFTWARE], exif[DESCRIPTION] = MARK["Software"], told
    for name, text in {**MARK, **texts}.items():
        info.add_text(name, text)
    options: dict[str, dict[str, Any]] = {
        "webp": {"exif": exif.tobytes(), "lossless": True},
        "gif": {"comment": told.encode("ascii", "replace")},
        "apng": {"pnginfo": info},
    }
    ends = [round(1000 * (frame + 1) / fps) for frame in range(len(frames))]
    durations = [end - start for start, end in zip([0, *ends[:-1]], ends, strict=True)]
    first, *others = (Image.fromarray(frame) for frame in frames)
    file = io.BytesIO()
    first.save(
        file, WRITTEN[format], save_all=True, append_images=others, loop=0, duration=durations, **options[format]
    )
    return file.getvalue()


def _check_pillow() -> None:
    if find_spec("PIL") is None:
        raise ImportError("this needs Pillow: pip install pillow")
