"""One output of a sample as it came over the wire; decoded when it is looked at."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from brood_client._pictures import CHANNELS, MARK, Pixels, opened, pixels_of, write_png

Array = npt.NDArray[Any]
Scalar = bool | int | float | str
PLAIN = ("raw", "npy")  # formats that hold a model's own numbers; others are files of pictures


@dataclass(frozen=True, slots=True)
class Content:
    """A tensor as bytes."""

    content: bytes
    format: str  # "raw": little-endian, C order; else "npy", "png", "webp" or "jpeg"
    dtype: str  # of the decoded array
    shape: tuple[int, ...]  # of the decoded array
    range: tuple[float, float] | None = None  # of an image in raw or npy form: the values that are black and white

    @property
    def is_picture(self) -> bool:
        """Whether it can be looked at."""
        shown = self.range is not None and len(self.shape) == 3 and self.shape[0] in CHANNELS
        return shown or self.format not in PLAIN

    @property
    def array(self) -> Array:
        """The values; the pixels, if it came as a file. Writable.

        Raises:
            ImportError: it came as a file, and Pillow, which reads those, is not installed.
        """
        if self.format == "raw":
            dtype = np.dtype(self.dtype).newbyteorder("<")
            return np.frombuffer(bytearray(self.content), dtype).reshape(self.shape)
        if self.format == "npy":
            found: Array = np.load(io.BytesIO(self.content), allow_pickle=False)
            return found
        return np.array(opened(self.content))

    @property
    def pixels(self) -> Pixels:
        """uint8 [H, W] or [H, W, 3].

        Raises:
            ValueError: it is no picture.
            ImportError: as `array`.
        """
        if self.format not in PLAIN:
            return self.array
        if self.range is None or not self.is_picture:
            raise ValueError("this output is no picture")
        return pixels_of(self.array, self.range)

    def png(self, texts: Mapping[str, str]) -> bytes:
        """A PNG file: as the server made it, or made here, with the mark of generated pictures and some texts.

        Raises:
            ValueError, ImportError: as `pixels`.
        """
        return self.content if self.format == "png" else write_png(self.pixels, {**MARK, **texts})
