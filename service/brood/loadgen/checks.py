"""Whether bytes are what they say they are. Cheap enough to be done with every answer: heads and sizes, not pixels."""

from __future__ import annotations

import ast
import math
import struct
from collections.abc import Mapping, Sequence

import numpy as np
from pydantic_core import from_json

from brood.loadgen.outcome import Content, wrong

PNG = (b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82")  # begin and end (PNG specification, 5.2 and 11.2.5)
NPY = b"\x93NUMPY"
STARTS = {"jpeg": b"\xff\xd8\xff", "webp": b"RIFF"}
# Elements of the Open Inference Protocol in bytes; of BYTES, and what is not here, sizes are not checked.
OIP_BYTES: Mapping[str, int] = {
    "BOOL": 1,
    **{f"{sign}INT{bits}": bits // 8 for sign in ("", "U") for bits in (8, 16, 32, 64)},
    **{f"FP{bits}": bits // 8 for bits in (16, 32, 64)},
    "BF16": 2,
}


def check_tensor(name: str, format: str, dtype: str, shape: Sequence[int], content: Content) -> None:
    """An output as the own protocols tell it.

    Raises:
        Failed: the bytes are none of that.
    """
    if format == "raw":
        check_size(name, math.prod(shape) * np.dtype(dtype).itemsize, content)
    elif format == "npy":
        check_npy(name, content, shape)
    elif format == "png":
        check_png(name, content)
    elif not bytes(content[:4]).startswith(STARTS.get(format, b"")) or not content:
        raise wrong(f"{name}: {len(content)} bytes that are no {format}")


def check_size(name: str, size: int, content: Content) -> None:
    """As many bytes as there should be."""
    if len(content) != size:
        raise wrong(f"{name}: {len(content)} bytes instead of {size}")


def check_png(name: str, content: Content) -> None:
    """A PNG file from its first chunk to its last."""
    if bytes(content[:8]) != PNG[0] or bytes(content[-8:]) != PNG[1]:
        raise wrong(f"{name}: {len(content)} bytes that are no whole PNG")


def check_npy(name: str, content: Content, shape: Sequence[int] | None = None) -> None:
    """A ``.npy`` file with as many bytes as its head says (numpy.lib.format, version 1.0)."""
    try:
        if bytes(content[:6]) != NPY:
            raise ValueError("another begin")
        begin = 10 + struct.unpack_from("<H", content, 8)[0]
        head = ast.literal_eval(bytes(content[10:begin]).decode("latin-1"))
        size = math.prod(head["shape"]) * np.dtype(head["descr"]).itemsize
    except (ValueError, KeyError, TypeError, SyntaxError, struct.error) as error:
        raise wrong(f"{name}: {len(content)} bytes that are no .npy: {error}") from error
    check_size(name, begin + size, content)
    if shape is not None and tuple(shape) != tuple(head["shape"]):
        raise wrong(f"{name}: shape {list(head['shape'])} instead of {list(shape)}")


def safetensors_body(content: Content, n: int) -> memoryview:
    """What follows the head of a safetensors file: tensors of ``n`` rows each.

    Raises:
        Failed: it is none, or its tensors have other sizes.
    """
    try:
        begin = 8 + struct.unpack_from("<Q", content)[0]
        head = from_json(bytes(content[8:begin]))
        tensors = {name: words for name, words in head.items() if name != "__metadata__"}
        rows = {words["shape"][0] for words in tensors.values()}
        end = max(words["data_offsets"][1] for words in tensors.values())
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, struct.error) as error:
        raise wrong(f"{len(content)} bytes that are no safetensors: {error}") from error
    if rows != {n}:
        raise wrong(f"tensors of {sorted(rows)} rows instead of {n}")
    check_size("safetensors", begin + end, content)
    return memoryview(content)[begin:]


def check_oip(name: str, datatype: str, shape: Sequence[int], content: Content, n: int | None) -> None:
    """An output of the Open Inference Protocol of ``n`` rows (None: of any number).

    Raises:
        Failed: it has other rows, or other bytes than its shape needs.
    """
    if n is not None and (not shape or shape[0] != n):
        raise wrong(f"{name}: shape {list(shape)} instead of {n} rows")
    if datatype in OIP_BYTES:
        check_size(name, math.prod(shape) * OIP_BYTES[datatype], content)


def check_indices(indices: Sequence[int], n: int) -> None:
    """Samples 0 … n-1, each once."""
    if sorted(indices) != list(range(n)):
        raise wrong(f"{len(indices)} samples ({sorted(indices)[:8]} …) instead of {n}, from index 0")
