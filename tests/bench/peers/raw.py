"""The bare session: what all are measured against."""

from __future__ import annotations

import json
import statistics
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from bench.peers.environments import ENVIRONMENTS, HERE
from bench.peers.workloads import Walks, Workload

Figures = dict[str, Any]
RATES = ("samples_per_s", "cpu_s_per_1000", "ms")
NEAR_BEST = 0.95


class Raw:
    """What the bare session does with a workload's samples, at the rows of a call where it does best.

    Args:
        workload: its files, and how often each is asked for (equally).
        threads: of ONNX Runtime.
        seconds: of a measurement.
    """

    def __init__(self, workload: Workload, threads: int, seconds: float) -> None:
        self._workload, self._threads, self._seconds = workload, threads, seconds
        self._files = list(workload.source.routes.values())
        self.sizes = {file.stem: raw_loop(file, threads, seconds / 4, tuple(workload.sizes)) for file in self._files}
        self.rows = min(best_rows(told["sizes"]) for told in self.sizes.values())
        self.rounds: list[Figures] = []

    def measure(self) -> None:
        """Once more: what else the machine does changes from round to round."""
        seconds = self._seconds / len(self._files)
        told = [raw_loop.__wrapped__(file, self._threads, seconds, (self.rows,)) for file in self._files]
        self.rounds.append(together([each["sizes"][str(self.rows)] for each in told], self._shorter()))

    @property
    def samples_per_s(self) -> float:
        """Median of the rounds."""
        return float(statistics.median(each["samples_per_s"] for each in self.rounds))

    def words(self) -> Figures:
        """Medians, and what they come from."""
        medians = {name: statistics.median(each[name] for each in self.rounds) for name in RATES}
        pss_mb = sum(each["pss_mb"] for each in self.sizes.values())
        return {"rows": self.rows, **medians, "pss_mb": pss_mb, "rounds": self.rounds, "sizes": self.sizes}

    def _shorter(self) -> float:
        """Steps of a sample in the mean, as a part of the longest's, which the loop runs."""
        source = self._workload.source
        if not isinstance(source, Walks):
            return 1.0
        with np.load(source.file.with_suffix(".npz")) as tables:
            steps = [float(tables[f"{kind}.steps"]) for kind in range(len(source.kinds))]
        return statistics.mean(steps) / max(steps)


def together(told: Sequence[Mapping[str, float]], shorter: float) -> Figures:
    """Of samples from several files in turn, of so many steps."""
    seconds = statistics.mean(1 / each["samples_per_s"] for each in told) * shorter
    cpu_s = statistics.mean(each["cpu_s_per_1000"] for each in told) * shorter
    return {"samples_per_s": 1 / seconds, "cpu_s_per_1000": cpu_s, "ms": max(each["ms"] for each in told)}


def best_rows(sizes: Mapping[str, Mapping[str, float]]) -> int:
    """The largest call that is within a twentieth of the best rate."""
    best = max(words["samples_per_s"] for words in sizes.values())
    return max(int(size) for size, words in sizes.items() if words["samples_per_s"] >= NEAR_BEST * best)


@cache
def raw_loop(file: Path, threads: int, seconds: float, rows: tuple[int, ...]) -> Figures:
    """What the bare session does, by rows of a call; the same question is measured once."""
    words = ["--file", file, "--threads", threads, "--seconds", seconds, "--rows", *rows]
    told: Figures = json.loads(_run("raw_loop.py", *words))
    return told


def expected(workload: Workload) -> list[np.ndarray]:
    """What the bare session makes of the requests, row by row."""
    with tempfile.TemporaryDirectory() as room:
        taken, out = Path(room, "taken.npy"), Path(room, "out.npy")
        found = []
        for asked in workload.asked():
            (array,) = asked.same.inputs.values()
            np.save(taken, array)
            _run("expected.py", "--file", workload.source.routes[asked.same.model], "--taken", taken, "--out", out)
            found.append(np.load(out))
    return found


def _run(script: str, *words: object) -> str:
    command = [ENVIRONMENTS["mosec"].python, HERE / "servers" / script, *words]
    return subprocess.check_output([str(word) for word in command], text=True)
