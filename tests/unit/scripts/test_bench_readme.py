"""The README's figures: of whatever results there are, and never others."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
ROUNDS = [{"samples_per_s": rate} for rate in (90.0, 100.0, 500.0)]
PEERS: dict[str, Any] = {
    "date": "2026-01-02T03:04:05+00:00",
    "machine": {"cores": 2, "processor": "a processor"},
    "options": {"threads": "2", "rounds": "3"},
    "workloads": {
        "dcgan n=1 clients=32": {
            "raw": {"samples_per_s": 200.0},
            "contenders": {
                "mosec": {"closed": [{"samples_per_s": 50.0}]},
                "brood http": {"closed": ROUNDS},
                "brood grpc": {"closed": [{"samples_per_s": 80.0}]},
                "brood http, PNG": {"closed": [{"samples_per_s": 999.0}]},
                "brood split http": {"closed": [{"samples_per_s": 999.0}]},
                "litserve": {"failed": "it ended"},
            },
        }
    },
}


@pytest.fixture(scope="module")
def script() -> Iterator[ModuleType]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "scripts")
        yield importlib.import_module("bench_readme")


def test_without_results_nothing_is_said(script: ModuleType, tmp_path: Path) -> None:
    assert script.section(tmp_path) == f"{script.BEGIN}\n\n{script.END}"


def test_the_best_line_of_each_server_is_told_as_a_ratio(script: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "peers.json").write_text(json.dumps(PEERS))
    (tmp_path / "other.json").write_text("{}")
    text = script.section(tmp_path)
    assert "2 cores (a processor), 2026-01-02, 2 threads in one call or two" in " ".join(text.split())
    line = "| dcgan n=1 clients=32 | 0.50 | 0.25 |"
    assert text.count(line) == 1
    (tmp_path / "peers-one-thread.json").write_text(json.dumps(PEERS))
    text = script.section(tmp_path)
    assert text.count(line) == 2
    assert "one thread a call" in text


def test_the_committed_results_can_be_told(script: ModuleType) -> None:
    text = script.section(script.RESULTS)
    start = json.loads((script.RESULTS / "start.json").read_text())
    assert f"gives its first sample {start['median']['first_sample_s']:.1f} s after" in " ".join(text.split())
