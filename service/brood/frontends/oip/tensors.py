"""Tensors of the protocol: as values in lists, and as raw bytes ("Binary Tensor Data Extension")."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from brood.frontends.oip.datatypes import BF16, BINARY_ONLY, BYTES, DTYPES, NUMPY, check_datatype
from brood.media.npy import Bytes, memory
from brood.media.numbers import from_data
from brood.media.refused import Refused
from brood.protocol.errors import InvalidArgument, invalid, show
from brood.protocol.requests import AXES_LIMIT

LENGTH = struct.Struct("<I")  # in front of each element of BYTES
DIM_LIMIT = 2**31


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor of a call or an answer."""

    name: str
    datatype: str  # one of `DATATYPES`
    array: np.ndarray  # of the datatype's dtype; float32 for BF16, objects (bytes) for BYTES

    @property
    def shape(self) -> tuple[int, ...]:
        """Its dimensions, rows first."""
        return self.array.shape


def from_raw(name: str, datatype: object, shape: object, content: Bytes) -> Tensor:
    """A tensor from its bytes: little endian, C order; elements of BYTES with their lengths in front.

    Raises:
        InvalidArgument: of field ``inputs.NAME``; names what was found and what is allowed.
    """
    field = f"inputs.{name}"
    kind, dims = check_datatype(field, datatype), check_shape(field, shape)
    if kind == BYTES:
        return Tensor(name, kind, _strings(field, content, dims))
    dtype = np.dtype("<u2") if kind == BF16 else NUMPY[kind]
    size = math.prod(dims) * dtype.itemsize
    if len(content) != size:
        text = f"{field}: {len(content)} bytes of binary data are not allowed; allowed: {size} for {kind} {list(dims)}"
        raise InvalidArgument(text, field=field)
    if kind == "BOOL":
        return Tensor(name, kind, np.frombuffer(content, np.uint8).reshape(dims) != 0)
    array = np.frombuffer(content, dtype).reshape(dims)
    return Tensor(name, kind, _widened(array) if kind == BF16 else array)


def from_values(name: str, datatype: object, shape: object, values: object) -> Tensor:
    """A tensor from values in a list, flat or nested, in C order.

    Raises:
        InvalidArgument: of field ``inputs.NAME``; also for FP16 and BF16, which only bytes carry.
    """
    field = f"inputs.{name}"
    kind, dims = check_datatype(field, datatype), check_shape(field, shape)
    if kind in BINARY_ONLY:
        raise invalid(f"{field}.datatype", kind, f"{kind} only as binary data")
    array = _of_strings(field, values) if kind == BYTES else _of_numbers(field, kind, values)
    if array.size != math.prod(dims):
        text = f"{field}: {array.size} values are not allowed; allowed: {math.prod(dims)} for shape {list(dims)}"
        raise InvalidArgument(text, field=field)
    return Tensor(name, kind, array.reshape(dims))


def to_raw(tensor: Tensor) -> Bytes:
    """The bytes of a tensor, those in its array where that has them; the inverse of `from_raw`."""
    if tensor.datatype == BYTES:
        return b"".join(LENGTH.pack(len(item)) + item for item in tensor.array.ravel())
    if tensor.datatype == BF16:
        return (np.ascontiguousarray(tensor.array, "<f4").view("<u4") >> 16).astype("<u2").tobytes()
    return memory(np.ascontiguousarray(tensor.array, NUMPY[tensor.datatype]))


def to_values(tensor: Tensor) -> list[Any]:
    """The values of a tensor in one flat list, strings as text.

    Raises:
        InvalidArgument: of a datatype or content that only bytes carry; the field is the output's name.
    """
    if tensor.datatype in BINARY_ONLY:
        raise invalid(f"outputs.{tensor.name}", tensor.datatype, "as binary data only; ask for binary_data")
    if tensor.datatype != BYTES:
        values: list[Any] = tensor.array.ravel().tolist()
        return values
    try:
        return [item.decode() for item in tensor.array.ravel()]
    except UnicodeDecodeError as error:
        raise invalid(f"outputs.{tensor.name}", "no UTF-8", "as binary data only; ask for binary_data") from error


def check_shape(field: str, shape: object) -> tuple[int, ...]:
    """Dimensions as a caller states them.

    Raises:
        InvalidArgument: no list of few whole numbers, or one of them negative or too large.
    """
    good = isinstance(shape, Sequence) and not isinstance(shape, str | bytes) and len(shape) <= AXES_LIMIT
    if not good or not all(type(dim) is int and 0 <= dim < DIM_LIMIT for dim in _items(shape)):
        raise invalid(f"{field}.shape", shape, f"a list of at most {AXES_LIMIT} whole numbers, 0 ≤ each < {DIM_LIMIT}")
    return tuple(_items(shape))


def _items(value: object) -> Iterable[Any]:
    return value if isinstance(value, Iterable) else ()


def _strings(field: str, content: Bytes, dims: tuple[int, ...]) -> np.ndarray:
    """Elements of BYTES; as many as the shape has, and nothing left over."""
    items: list[bytes] = []
    place = 0
    while place < len(content):
        start = place + LENGTH.size
        end = start + LENGTH.unpack_from(content, place)[0] if start <= len(content) else start
        if end > len(content):
            text = f"{field}: element {len(items)} of the binary data ends after the {len(content)} bytes there are"
            raise InvalidArgument(f"{text}; allowed: a length of 4 bytes, then as many bytes", field=field)
        items.append(bytes(content[start:end]))
        place = end
    if len(items) != math.prod(dims):
        text = f"{field}: {len(items)} elements of binary data are not allowed; allowed: {math.prod(dims)}"
        raise InvalidArgument(f"{text} for shape {list(dims)}", field=field)
    return _objects(items).reshape(dims)


def _objects(items: Sequence[bytes]) -> np.ndarray:
    array = np.empty(len(items), object)
    array[:] = items
    return array


def _widened(halves: np.ndarray) -> np.ndarray:
    """BF16 as float32: exact."""
    return (halves.astype("<u4") << 16).view("<f4")


def _of_numbers(field: str, datatype: str, values: object) -> np.ndarray:
    try:
        return from_data(values, DTYPES[datatype])
    except Refused as refused:
        text = f"{field}: {refused.part} {show(refused.found)} is not allowed; allowed: {refused.allowed}"
        raise InvalidArgument(text, field=field) from refused


def _of_strings(field: str, values: object) -> np.ndarray:
    items = list(_flat(values))
    try:
        return _objects([item if isinstance(item, bytes) else str.encode(item) for item in items])
    except (TypeError, UnicodeEncodeError) as error:
        text = f"{field}: data {show(values)} is not allowed; allowed: strings of Unicode characters"
        raise InvalidArgument(text, field=field) from error


def _flat(values: object) -> Iterable[Any]:
    """The leaves of nested lists, in order; without recursion, as callers choose the depth."""
    waiting = [values]
    while waiting:
        item = waiting.pop()
        if isinstance(item, list | tuple):
            waiting.extend(reversed(item))
        else:
            yield item
