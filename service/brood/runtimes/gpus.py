"""The GPUs that this process sees, asked of NVIDIA's driver itself.

The driver's library comes with the driver, so no package is needed; it counts GPUs as CUDA does, behind
``CUDA_VISIBLE_DEVICES``, which the names under ``/proc`` do not. Calls and constants: CUDA Driver API, "Initialization"
and "Device Management".
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from brood.protocol.errors import BundleError
from brood.runtimes.device import Device

LIBRARY = "libcuda.so.1"
NO_DEVICE = 100  # CUDA_ERROR_NO_DEVICE
CAPABILITY_MAJOR, CAPABILITY_MINOR = 75, 76  # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_…
NAME_BYTES = 256
# Of a share of a GPU's memory, what is left for what lies outside of the arena: CUDA's context, kernels and libraries.
OUTSIDE_BYTES = 768 * 2**20


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU."""

    name: str  # its model, such as "NVIDIA A10"
    memory_bytes: int  # all of it
    capability: tuple[int, int]  # CUDA compute capability: which kernels it runs

    def share_bytes(self, share: float) -> int:
        """What a process may allocate that has a part of this GPU.

        Args:
            share: more than 0, at most 1.

        Raises:
            BundleError: nothing is left of it.
        """
        found = int(self.memory_bytes * share) - OUTSIDE_BYTES
        if found <= 0:
            raise BundleError(
                f"num_gpus: {share:g} of {self.name} is {int(self.memory_bytes * share) // 2**20} MiB, of which "
                f"{OUTSIDE_BYTES // 2**20} go to CUDA itself; allowed: a larger part",
                field="num_gpus",
            )
        return found


def visible_gpus() -> Sequence[Gpu]:
    """All that this process may use, in CUDA's order; none if there is no driver.

    Raises:
        BundleError: there is a driver, and it fails.
    """
    try:
        driver = ctypes.CDLL(LIBRARY)
    except OSError:
        return []
    return gpus_of(driver)


def gpu_of(device: Device, gpus: Sequence[Gpu]) -> Gpu:
    """The one that a device is.

    Args:
        device: not the CPU.
        gpus: that this process sees, in CUDA's order.

    Raises:
        BundleError: it is not among them.
    """
    if device.number >= len(gpus):
        seen = ", ".join(f"{number}: {gpu.name}" for number, gpu in enumerate(gpus)) or "none"
        raise BundleError(f"device {device.name!r}: this process sees no such GPU; it sees: {seen}", field="device")
    return gpus[device.number]


def gpus_of(driver: Any) -> list[Gpu]:
    """The same, of a loaded driver.

    Raises:
        BundleError: a call of it fails.
    """
    failure = driver.cuInit(0)
    if failure == NO_DEVICE:
        return []
    _check("cuInit", failure)
    count = ctypes.c_int()
    _check("cuDeviceGetCount", driver.cuDeviceGetCount(ctypes.byref(count)))
    return [_gpu(driver, number) for number in range(count.value)]


def _gpu(driver: Any, number: int) -> Gpu:
    device, name, memory = ctypes.c_int(), ctypes.create_string_buffer(NAME_BYTES), ctypes.c_size_t()
    _check("cuDeviceGet", driver.cuDeviceGet(ctypes.byref(device), number))
    _check("cuDeviceGetName", driver.cuDeviceGetName(name, NAME_BYTES, device))
    _check("cuDeviceTotalMem", driver.cuDeviceTotalMem_v2(ctypes.byref(memory), device))
    capability = (_attribute(driver, device, CAPABILITY_MAJOR), _attribute(driver, device, CAPABILITY_MINOR))
    return Gpu(name.value.decode("utf-8", "replace"), memory.value, capability)


def _attribute(driver: Any, device: ctypes.c_int, attribute: int) -> int:
    value = ctypes.c_int()
    _check("cuDeviceGetAttribute", driver.cuDeviceGetAttribute(ctypes.byref(value), attribute, device))
    return value.value


def _check(call: str, failure: int) -> None:
    if failure:
        raise BundleError(f"the GPU driver's {call} fails with error {failure}")
