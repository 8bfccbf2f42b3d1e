"""What a caller gives, as a request carries it: arrays as raw bytes, pictures as PNG, sound as WAV or FLAC."""

from __future__ import annotations

import io
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import numpy as np
import numpy.typing as npt

from brood_client._errors import invalid
from brood_client._pictures import SIGNATURE, opened
from brood_client._sound import Audio, sound_format, write_wav

if TYPE_CHECKING:
    from PIL import Image

# An array or nested list of numbers, a Path, the bytes of a file, a sound, a text, or an image of Pillow.
Given: TypeAlias = "npt.ArrayLike | PathLike[str] | memoryview | Audio | str | Image.Image"

NPY = b"\x93NUMPY"
FILES = "an array of numbers, a Path, the bytes of a PNG, WAV, FLAC or NPY file"
ALLOWED = f"{FILES}, an Audio, a text, or an image of Pillow"


def tensor_of(name: str, value: Given) -> dict[str, Any]:
    """An input with its bytes under ``b64``, its format, and what a reader needs to know beside.

    Args:
        name: of the input, for messages.
        value: an array or nested list of numbers; a `Path` to or the bytes of a PNG, WAV, FLAC or NPY file, or of any
            other picture that Pillow reads; an `Audio`, which goes as 16 bits; an image of Pillow; or a text. A
            picture, sound or text is one for all samples.

    Raises:
        InvalidArgument: it is nothing of these.
        ImportError: it is a picture that only Pillow can read, and that is not installed.
        OSError: the file cannot be read.
    """
    if isinstance(value, str):
        return _text(name, value)
    if isinstance(value, PathLike):
        value = Path(value).read_bytes()
    if isinstance(value, bytes | bytearray | memoryview):
        return _file(name, bytes(value))
    if isinstance(value, Audio):
        return {"b64": write_wav(value, {}), "format": "wav"}
    if _is_image(value):
        return _picture(name, value)
    return _raw(name, cast("npt.ArrayLike", value))


def is_loose(value: Given) -> bool:
    """Whether it has no dtype of its own: numbers, and lists of them."""
    return isinstance(value, list | tuple | int | float) and not isinstance(value, Audio)


def as_dtype(tensor: Mapping[str, Any], dtype: str) -> Mapping[str, Any]:
    """Raw numbers in another dtype, if that keeps them (fractions may be rounded); else as they are."""
    array = np.frombuffer(tensor["b64"], np.dtype(tensor["dtype"]).newbyteorder("<"))
    with np.errstate(over="ignore", invalid="ignore"):
        converted = array.astype(dtype)
        back = converted.astype(array.dtype)
    kept = np.isinf(converted) == np.isinf(array) if converted.dtype.kind == "f" else back == array
    if not kept.all() or (array.dtype.kind == "b" and converted.dtype.kind != "b"):
        return tensor
    return {**tensor, "b64": converted.astype(converted.dtype.newbyteorder("<")).tobytes(), "dtype": dtype}


def _text(name: str, text: str) -> dict[str, Any]:
    try:
        return {"b64": text.encode(), "format": "text"}
    except UnicodeEncodeError as error:
        raise invalid(f"inputs.{name}", ascii(text[:40]), "a text of Unicode characters") from error


def _file(name: str, content: bytes) -> dict[str, Any]:
    if content.startswith(SIGNATURE):
        return {"b64": content, "format": "png"}
    if sound := sound_format(content):
        return {"b64": content, "format": sound}
    try:
        if content.startswith(NPY):
            return _raw(name, np.load(io.BytesIO(content), allow_pickle=False))
        return _picture(name, opened(content))
    except (OSError, ValueError, MemoryError) as error:  # whatever size a file says it has
        raise invalid(f"inputs.{name}", f"a file of {len(content)} bytes that cannot be read", ALLOWED) from error


def _is_image(value: object) -> bool:
    """Told by name, so that Pillow need not be there."""
    return any(kind.__module__ == "PIL.Image" for kind in type(value).__mro__)


def _picture(name: str, image: Any) -> dict[str, Any]:
    stream = io.BytesIO()
    try:
        image.save(stream, "PNG")
    except OSError as error:
        raise invalid(
            f"inputs.{name}", f"an image of mode {image.mode}", "modes that PNG has, such as L, RGB"
        ) from error
    return {"b64": stream.getvalue(), "format": "png"}


def _raw(name: str, value: npt.ArrayLike) -> dict[str, Any]:
    """Little-endian, C order."""
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise invalid(f"inputs.{name}", "a ragged list", ALLOWED) from error
    if array.dtype.kind not in "biuf":
        raise invalid(f"inputs.{name}", _called(value, array), ALLOWED)
    content = array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()
    return {"b64": content, "format": "raw", "dtype": array.dtype.name, "shape": list(array.shape)}


def _called(value: object, array: npt.NDArray[Any]) -> str:
    if isinstance(value, list | tuple) and any(_is_image(each) or isinstance(each, PathLike | bytes) for each in value):
        return "a list of pictures (several pictures go in as one array, [n, ...])"
    return str(array.dtype)
