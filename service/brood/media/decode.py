"""Inputs from what callers send: PNG, WAV, FLAC, npy, raw bytes, or lists of numbers."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from brood.media.formats import input_formats
from brood.media.npy import read_npy
from brood.media.numbers import from_data
from brood.media.pixels import from_pixels
from brood.media.read_png import read_png
from brood.media.refused import Refused
from brood.media.sound import SoundFormat, from_wave, read_sound
from brood.media.text import read_text
from brood.protocol.errors import InvalidArgument, show
from brood.protocol.manifest import Input, Sample
from brood.protocol.requests import InputFormat, InputValue

Shape = tuple[int, ...]


def decode_input(
    name: str, value: InputValue, spec: Input, sample: Sample | None, n: int, *, shared: bool = False
) -> np.ndarray:
    """Read one input and hold it against its declaration.

    Args:
        name: of the input, for messages.
        value: as the caller sent it; what it states of format, dtype and shape must be true.
        spec: what the operation declares.
        sample: how to read pictures and sound; None if the model has none.
        n: number of samples.
        shared: there is one value for all samples.

    Returns:
        ``[n, *spec.shape]`` of dtype ``spec.dtype``, read-only; of a text its UTF-8, uint8 [n, bytes]. One value for
        all samples is shared by them in memory.

    Raises:
        InvalidArgument: field ``inputs.NAME``; names what was found and what is allowed.
    """
    shapes = (spec.shape, spec.shape if shared else (n, *spec.shape))
    try:
        if spec.kind == "text":
            text = read_text(value, spec)
            return np.broadcast_to(text, (n, len(text)))
        array = _read(value, spec, sample, shapes)
        _check_stated(value, array)
        if array.shape not in shapes:
            raise Refused("shape", list(array.shape), _either(shapes))
        _check_values(array, spec)
    except Refused as refused:
        reason = f"{refused.part} {show(refused.found)} is not allowed; allowed: {refused.allowed}"
        raise InvalidArgument(f"inputs.{name}: {reason}", field=f"inputs.{name}") from refused
    return np.broadcast_to(array, (n, *spec.shape))


def _read(value: InputValue, spec: Input, sample: Sample | None, shapes: tuple[Shape, Shape]) -> np.ndarray:
    if value.text is not None:
        raise Refused("text", value.text, f"for inputs of kind text, not {spec.kind}")
    if value.b64 is None:
        if value.format is not None:
            raise Refused("format", value.format, "none together with 'data'")
        return from_data(value.data, spec.dtype)
    readers: dict[str, Callable[[bytes], np.ndarray]] = {
        "npy": lambda content: _of_dtype(read_npy(content), spec),
        "raw": lambda content: _of_dtype(_raw(content, value, spec, shapes), spec),
    }
    formats = input_formats(spec) if sample is not None else tuple(readers)
    if value.format is None or value.format not in formats:
        raise Refused("format", value.format, ", ".join(sorted(formats)))
    if value.format in readers:
        return readers[value.format](value.b64)
    assert sample is not None
    return _of_file(value.b64, value.format, spec, _shown(spec, sample))


def _of_file(content: bytes, format: InputFormat, spec: Input, sample: Sample) -> np.ndarray:
    """A picture or sound."""
    if format == "png":
        return from_pixels(read_png(content, *spec.shape), sample, spec.dtype)
    assert sample.sample_rate_hz is not None  # the manifest says so of every sound
    form: SoundFormat = "flac" if format == "flac" else "wav"
    channels, length = spec.shape
    return from_wave(read_sound(content, form, channels, length, sample.sample_rate_hz), sample)


def _shown(spec: Input, sample: Sample) -> Sample:
    """Black and white of an input, or full scale, are its own bounds, if it has them: a mask has others than what it
    masks.
    """
    if spec.minimum is None or spec.maximum is None or not spec.minimum < spec.maximum:
        return sample
    return sample.model_copy(update={"range": (spec.minimum, spec.maximum)})


def _raw(content: bytes, value: InputValue, spec: Input, shapes: tuple[Shape, Shape]) -> np.ndarray:
    """Little-endian, C order, of the stated dtype and shape; of bool, every byte but 0 is true."""
    if value.dtype is None:
        raise Refused("dtype", None, f"{spec.dtype} (raw bytes do not tell)")
    if value.shape not in shapes:
        raise Refused("shape", value.shape, f"{_either(shapes)} (raw bytes do not tell)")
    dtype = np.dtype(value.dtype).newbyteorder("<")
    size = math.prod(value.shape) * dtype.itemsize
    if len(content) != size:
        raise Refused("b64", f"{len(content)} bytes", f"{size} bytes for {value.dtype} {list(value.shape)}")
    if dtype.kind == "b":
        return np.frombuffer(content, np.uint8).reshape(value.shape).astype(bool)
    return np.frombuffer(content, dtype).reshape(value.shape)


def _of_dtype(array: np.ndarray, spec: Input) -> np.ndarray:
    """The array in this machine's byte order, if it has the declared dtype: nothing is converted silently."""
    if array.dtype.newbyteorder("=") != spec.dtype:
        raise Refused("dtype", array.dtype.name, spec.dtype)
    return array.astype(spec.dtype, order="C", copy=False)


def _check_stated(value: InputValue, array: np.ndarray) -> None:
    """What a caller says in passing must be true as well."""
    if value.dtype is not None and value.dtype != array.dtype.name:
        raise Refused("dtype", value.dtype, array.dtype.name)
    if value.shape is not None and value.shape != array.shape:
        raise Refused("shape", value.shape, f"{list(array.shape)}, which is what was sent")


def _check_values(array: np.ndarray, spec: Input) -> None:
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise Refused("value", array[~np.isfinite(array)].flat[0].item(), "finite numbers")
    low = -math.inf if spec.minimum is None else spec.minimum
    high = math.inf if spec.maximum is None else spec.maximum
    outside = (array < low) | (array > high)
    if outside.any():
        raise Refused("value", array[outside].flat[0].item(), f"{low:g} to {high:g}")


def _either(shapes: tuple[Shape, Shape]) -> str:
    one = f"{list(shapes[0])} for all samples"
    return one if shapes[0] == shapes[1] else f"{one}, or {list(shapes[1])}, one for each"
