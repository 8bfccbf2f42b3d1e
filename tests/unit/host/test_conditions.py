"""What a certificate holds for."""

from __future__ import annotations

import platform
import sys
from pathlib import Path

import pytest

from brood import __version__
from brood.host.conditions import Conditions, conditions, device_name, isa
from brood.host.opened import open_bundle
from brood.runtimes.base import RuntimeOptions
from brood.runtimes.gpus import Gpu
from brood.store.store import read_bundle
from helpers.bundles import edit_manifest, once_bundle

HERE = f"{sys.platform}-{platform.machine()}"


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("flags\t\t: fpu avx2 fma avx512f avx512bw avx512dq avx512vl amx_tile", "-avx512"),
        ("flags\t\t: fpu avx2 fma avx512f", "-avx2"),
        ("flags\t\t: fpu sse4_2", ""),
        ("Features\t: fp asimd sve", "-sve"),
        ("Features\t: fp asimd", "-neon"),
        ("model name\t: none", ""),
    ],
)
def test_the_class_of_the_processor(tmp_path: Path, line: str, name: str) -> None:
    cpu = tmp_path / "cpuinfo"
    cpu.write_text(f"processor\t: 0\n{line}\nbugs\t\t: none\n")
    assert isa(cpu) == HERE + name


def test_a_system_that_does_not_tell(tmp_path: Path) -> None:
    assert isa(tmp_path / "cpuinfo") == HERE


def test_a_gpu_is_called_by_its_model_and_not_by_its_number() -> None:
    def gpus() -> list[Gpu]:
        return [Gpu("Graphics 9", 2**30, (9, 0)), Gpu("Graphics 8", 2**30, (8, 0)), Gpu("Graphics 9", 2**30, (9, 0))]

    assert device_name("cuda", gpus) == device_name("cuda:2", gpus) == "cuda, Graphics 9"
    assert device_name("cuda:1", gpus) == "cuda, Graphics 8"
    assert device_name("tensorrt:1", gpus) == "cuda, Graphics 8"  # another provider on the same device
    assert device_name("cuda", list) == "cuda"
    assert device_name("cpu", gpus) == "cpu"


def met(directory: Path, options: RuntimeOptions) -> Conditions:
    return conditions(open_bundle(read_bundle(directory), options), options)


def test_other_conditions_have_other_keys(tmp_path: Path) -> None:
    directory = once_bundle(tmp_path)
    one = met(directory, RuntimeOptions(1))
    assert (one.model, one.version, one.device, one.threads) == ("once", 1, "cpu", 1)
    assert (one.provider, one.precision, one.provider_options) == ("fake", "float64", ())
    assert one.runtimes == (f"fake {__version__}",)
    two = met(directory, RuntimeOptions(2))
    edit_manifest(directory, lambda words: words.update(description="Another."))
    other = met(directory, RuntimeOptions(1))
    changes = ({"isa": "none"}, {"provider": "TensorrtExecutionProvider"}, {"precision": "float16"}, {"device": "cuda"})
    keys = [one.key, two.key, other.key, *(one.model_copy(update=change).key for change in changes)]
    assert len(set(keys)) == len(keys)
    assert all(key.startswith("once-1-") for key in keys)
