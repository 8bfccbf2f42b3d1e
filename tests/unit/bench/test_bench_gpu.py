"""The GPU bench on the CPU: whether it works, before a GPU is there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.bench_gpu import main


@pytest.mark.parametrize("only", ["dcgan", "unet"])
def test_the_bare_session_and_brood_are_measured_alike(tmp_path: Path, only: str) -> None:
    out = tmp_path / "gpu.json"
    main(["--device", "cpu", "--small", "--only", only, "--buckets", "1,2", "--seconds", "0.2", "--out", str(out)])
    (found,) = json.loads(out.read_text())["models"].values()
    assert set(found["raw"]["plain"]) == {"1", "2"}
    brood = found["brood"]["plain"]
    assert 1 <= brood["1"]["rows_of_a_call"] <= 1
    assert 1 <= brood["2"]["rows_of_a_call"] <= 2
    assert all(each["steps_per_s"] > 0 and each["duty"] > 0 for each in brood.values())
    assert found["model"] in out.with_suffix(".md").read_text() or only in out.with_suffix(".md").read_text()
