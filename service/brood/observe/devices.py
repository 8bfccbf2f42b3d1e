"""Memory and work of NVIDIA devices, as their driver tells it (NVML).

https://docs.nvidia.com/deploy/nvml-api/group__nvmlDeviceQueries.html
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from ctypes import POINTER, Structure, byref, c_uint, c_ulonglong, c_void_p
from dataclasses import dataclass
from typing import Any

LIBRARY = "libnvidia-ml.so.1"
OK = 0


class _Memory(Structure):
    """``nvmlMemory_t``."""

    _fields_ = [("total", c_ulonglong), ("free", c_ulonglong), ("used", c_ulonglong)]


class _Utilisation(Structure):
    """``nvmlUtilization_t``, in per cent."""

    _fields_ = [("gpu", c_uint), ("memory", c_uint)]


@dataclass(frozen=True, slots=True)
class DeviceLoad:
    """One device at one moment."""

    device: str  # as settings name it: "cuda:0"
    used_bytes: int
    total_bytes: int
    utilisation: float  # 0 … 1


class Devices:
    """All devices of this node; none where there is no driver.

    Args:
        library: the loaded library of the driver; None: there is none.
    """

    def __init__(self, library: Any) -> None:
        self._library = library
        self._there = library is not None and library.nvmlInit_v2() == OK

    def loads(self) -> Iterator[DeviceLoad]:
        """How busy they are; a device that does not answer is left out."""
        count = c_uint()
        if not self._there or self._library.nvmlDeviceGetCount_v2(byref(count)) != OK:
            return
        for index in range(count.value):
            found = self._load(index)
            if found is not None:
                yield found

    def _load(self, index: int) -> DeviceLoad | None:
        handle, memory, use, library = c_void_p(), _Memory(), _Utilisation(), self._library
        answers = (
            library.nvmlDeviceGetHandleByIndex_v2(index, byref(handle)),
            library.nvmlDeviceGetMemoryInfo(handle, byref(memory)),
        )
        if any(answer != OK for answer in answers):
            return None
        library.nvmlDeviceGetUtilizationRates(handle, byref(use))  # not told by parts of a device (MIG): stays 0
        return DeviceLoad(f"cuda:{index}", memory.used, memory.total, use.gpu / 100)


def driver_library() -> Any:
    """The driver's library; None where there is none."""
    try:
        library = ctypes.CDLL(LIBRARY)
    except OSError:
        return None
    library.nvmlDeviceGetHandleByIndex_v2.argtypes = [c_uint, POINTER(c_void_p)]
    return library
