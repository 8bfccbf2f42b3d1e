"""What the driver tells of devices, with a driver made of Python."""

from __future__ import annotations

from typing import Any

from brood.observe.devices import DeviceLoad, Devices

LOST = 15  # NVML_ERROR_GPU_IS_LOST


class Driver:
    """Two devices; the second may be lost."""

    def __init__(self, *, starts: bool = True, lost: bool = False) -> None:
        self._starts, self._lost = starts, lost

    def nvmlInit_v2(self) -> int:  # noqa: N802
        return 0 if self._starts else 9

    def nvmlDeviceGetCount_v2(self, count: Any) -> int:  # noqa: N802
        count._obj.value = 2
        return 0

    def nvmlDeviceGetHandleByIndex_v2(self, index: int, handle: Any) -> int:  # noqa: N802
        handle._obj.value = index + 1
        return LOST if index == 1 and self._lost else 0

    def nvmlDeviceGetMemoryInfo(self, handle: Any, memory: Any) -> int:  # noqa: N802
        memory._obj.total, memory._obj.used = 1000, 100 * handle.value
        return 0

    def nvmlDeviceGetUtilizationRates(self, handle: Any, use: Any) -> int:  # noqa: N802
        use._obj.gpu = 50
        return 0


def test_every_device_tells_its_memory_and_how_busy_it_is() -> None:
    loads = list(Devices(Driver()).loads())
    assert loads == [DeviceLoad("cuda:0", 100, 1000, 0.5), DeviceLoad("cuda:1", 200, 1000, 0.5)]


def test_a_lost_device_is_left_out() -> None:
    assert [load.device for load in Devices(Driver(lost=True)).loads()] == ["cuda:0"]


def test_without_a_driver_there_are_none() -> None:
    assert list(Devices(None).loads()) == []
    assert list(Devices(Driver(starts=False)).loads()) == []
