"""Devices by their names."""

from __future__ import annotations

import pytest

from brood.protocol.errors import BundleError
from brood.runtimes.device import Device, parse_device


@pytest.mark.parametrize(
    ("text", "device", "is_gpu"),
    [
        ("cpu", Device("cpu"), False),
        ("cuda", Device("cuda", 0), True),
        ("cuda:0", Device("cuda", 0), True),
        ("cuda:13", Device("cuda", 13), True),
        ("tensorrt", Device("tensorrt", 0), True),
        ("tensorrt:1", Device("tensorrt", 1), True),
    ],
)
def test_a_device_is_told_by_name_and_number(text: str, device: Device, is_gpu: bool) -> None:
    assert parse_device(text) == device
    assert parse_device(text).is_gpu == is_gpu


@pytest.mark.parametrize(
    "text", ["", "gpu", "CUDA", "cuda:", "cuda:-1", "cuda:01", "cuda:x", "cpu:0", "cuda:0 ", "cuda:99999"]
)
def test_anything_else_is_refused_with_what_is_allowed(text: str) -> None:
    with pytest.raises(BundleError, match="is not allowed; allowed: cpu, cuda, cuda:N, tensorrt, tensorrt:N") as raised:
        parse_device(text)
    assert repr(text) in raised.value.message
    assert raised.value.field == "device"
