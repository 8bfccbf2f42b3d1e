"""Arrays in numpy's file format (numpy.lib.format), versions 1.0 and 2.0."""

from __future__ import annotations

import io
import math
from functools import lru_cache

import numpy as np

from brood.media.numbers import REAL
from brood.media.refused import Refused

Bytes = bytes | memoryview


def write_npy(array: np.ndarray) -> bytes:
    """A ``.npy`` file, version 1.0, in C order."""
    return b"".join((_header(array.dtype, array.shape), memory(np.ascontiguousarray(array))))


def memory(array: np.ndarray) -> memoryview:
    """The bytes of a C-ordered array, where they are."""
    return array.reshape(-1).view(np.uint8).data


@lru_cache(256)
def _header(dtype: np.dtype[np.generic], shape: tuple[int, ...]) -> bytes:
    """All before the numbers; the outputs of a model are alike, and making it takes longer than copying them."""
    file = io.BytesIO()
    words = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, words)
    return file.getvalue()


def read_npy(content: bytes) -> np.ndarray:
    """The array of a ``.npy`` file, in its own dtype and byte order; nothing is allocated for its size's claim.

    Raises:
        Refused: it is damaged, of another version, holds no plain numbers, or has other bytes than its shape needs.
    """
    file = io.BytesIO(content)
    try:
        version = np.lib.format.read_magic(file)
        read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}[version]
        shape, fortran, dtype = read(file)
    except Exception as error:  # the header is Python text, and numpy lets every error of reading it through
        raise Refused("b64", f"{len(content)} bytes", "an .npy file of version 1.0 or 2.0") from error
    if dtype.kind not in REAL:
        raise Refused("dtype", str(dtype), "plain numbers")
    body, size = memoryview(content)[file.tell() :], math.prod(shape) * dtype.itemsize
    if len(body) != size or min(shape, default=0) < 0:
        raise Refused("b64", f"{len(body)} bytes after the header", f"{size} bytes for {dtype} {list(shape)}")
    return np.frombuffer(body, dtype).reshape(shape, order="F" if fortran else "C")
