"""What the driver tells of GPUs; a fake one stands in for it."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass, field
from typing import Any

import pytest

from brood.protocol.errors import BundleError
from brood.runtimes import gpus
from brood.runtimes.gpus import OUTSIDE_BYTES, Gpu, gpus_of, visible_gpus


@dataclass
class Driver:
    """As much of libcuda as is used: name, bytes and capability of each GPU."""

    there: list[tuple[bytes, int, tuple[int, int]]] = field(default_factory=list)
    failures: dict[str, int] = field(default_factory=dict)

    def cuInit(self, flags: int) -> int:  # noqa: N802
        assert flags == 0
        return self.failures.get("cuInit", 0)

    def cuDeviceGetCount(self, count: Any) -> int:  # noqa: N802
        count._obj.value = len(self.there)
        return self.failures.get("cuDeviceGetCount", 0)

    def cuDeviceGet(self, device: Any, number: int) -> int:  # noqa: N802
        device._obj.value = number
        return 0

    def cuDeviceGetName(self, name: Any, size: int, device: ctypes.c_int) -> int:  # noqa: N802
        name.value = self.there[device.value][0][: size - 1]
        return self.failures.get("cuDeviceGetName", 0)

    def cuDeviceTotalMem_v2(self, memory: Any, device: ctypes.c_int) -> int:  # noqa: N802
        memory._obj.value = self.there[device.value][1]
        return 0

    def cuDeviceGetAttribute(self, value: Any, attribute: int, device: ctypes.c_int) -> int:  # noqa: N802
        value._obj.value = self.there[device.value][2][{75: 0, 76: 1}[attribute]]
        return 0


def test_gpus_are_told_in_the_drivers_order() -> None:
    driver = Driver([(b"NVIDIA A10", 24 * 2**30, (8, 6)), (b"NVIDIA H200", 141 * 2**30, (9, 0))])
    assert gpus_of(driver) == [Gpu("NVIDIA A10", 24 * 2**30, (8, 6)), Gpu("NVIDIA H200", 141 * 2**30, (9, 0))]


def test_a_driver_without_gpus_is_no_error() -> None:
    assert gpus_of(Driver(failures={"cuInit": gpus.NO_DEVICE})) == []
    assert gpus_of(Driver()) == []


@pytest.mark.parametrize("call", ["cuInit", "cuDeviceGetCount", "cuDeviceGetName"])
def test_a_driver_that_fails_says_in_what(call: str) -> None:
    with pytest.raises(BundleError, match=f"the GPU driver's {call} fails with error 999"):
        gpus_of(Driver([(b"NVIDIA A10", 2**30, (8, 6))], {call: 999}))


def test_a_machine_without_a_driver_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpus, "LIBRARY", "libthere-is-no-such-driver.so.1")
    assert visible_gpus() == []


def test_a_share_of_a_gpu_leaves_room_for_cuda_itself() -> None:
    gpu = Gpu("NVIDIA A10", 24 * 2**30, (8, 6))
    assert gpu.share_bytes(1.0) == 24 * 2**30 - OUTSIDE_BYTES
    assert gpu.share_bytes(0.25) == 6 * 2**30 - OUTSIDE_BYTES
    assert 4 * (gpu.share_bytes(0.25) + OUTSIDE_BYTES) <= gpu.memory_bytes
    with pytest.raises(BundleError, match=r"num_gpus: 0\.01 of NVIDIA A10 is 245 MiB, of which 768 go to CUDA itself"):
        gpu.share_bytes(0.01)
