"""What a certificate holds for."""

from __future__ import annotations

import platform
import sys
from pathlib import Path

import pytest

from brood import __version__
from brood.host.conditions import conditions, device_name, isa
from brood.runtimes.base import RuntimeOptions
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


def test_a_gpu_is_called_by_its_model(tmp_path: Path) -> None:
    for number, model in enumerate(("Graphics 9", "Graphics 9")):
        folder = tmp_path / f"0000:0{number}:00.0"
        folder.mkdir()
        (folder / "information").write_text(f"Model: \t\t {model}\nIRQ:   \t\t 16\n")
    assert device_name("cuda", tmp_path) == "cuda, Graphics 9"
    assert device_name("cuda", tmp_path / "none") == "cuda"
    assert device_name("cpu", tmp_path) == "cpu"


def test_other_conditions_have_other_keys(tmp_path: Path) -> None:
    directory = once_bundle(tmp_path)
    one = conditions(read_bundle(directory), RuntimeOptions(1))
    assert (one.model, one.version, one.device, one.threads) == ("once", 1, "cpu", 1)
    assert one.runtimes == (f"fake {__version__}",)
    two = conditions(read_bundle(directory), RuntimeOptions(2))
    edit_manifest(directory, lambda words: words.update(description="Another."))
    other = conditions(read_bundle(directory), RuntimeOptions(1))
    keys = [one.key, two.key, other.key, one.model_copy(update={"isa": "none"}).key]
    assert len(set(keys)) == len(keys)
    assert all(key.startswith("once-1-") for key in keys)
