"""Lists of numbers, as JSON carries them, to arrays."""

from __future__ import annotations

import numpy as np

from brood.media.refused import Refused
from brood.protocol.manifest import DType

REAL = "biuf"  # numpy's kinds of plain numbers


def from_data(data: object, dtype: DType) -> np.ndarray:
    """A nested list of numbers, or one number, as an array of ``dtype``; only conversions that keep the value.

    Raises:
        Refused: the lists are ragged, hold something else than numbers, or numbers that ``dtype`` has not.
    """
    try:
        array = np.asarray(data)
    except (ValueError, OverflowError, RecursionError):
        raise Refused("data", data, "a number, or nested lists of numbers, equally long at each level") from None
    if array.dtype.kind not in REAL:
        raise Refused("data", data, "only numbers in nested lists")
    if array.dtype.kind == "b" and dtype != "bool":
        raise Refused("data", data, f"numbers of dtype {dtype}, not true or false")
    with np.errstate(over="ignore", invalid="ignore"):
        converted = array.astype(dtype)
    _check_kept(array, converted, dtype)
    return converted


def _check_kept(array: np.ndarray, converted: np.ndarray, dtype: DType) -> None:
    """Rounding to a shorter float is expected; anything else is a loss. Infinite numbers are refused later."""
    kind = converted.dtype.kind
    if kind == "f":
        lost = np.isinf(converted) & np.isfinite(array)
    elif kind == "b":
        lost = (array != 0) & (array != 1)
    else:
        limits = np.iinfo(dtype)
        lost = (array != np.trunc(array)) | ~((array >= limits.min) & (array <= limits.max))
    if lost.any():
        raise Refused("data", array[lost].flat[0].item(), f"numbers of dtype {dtype}")
