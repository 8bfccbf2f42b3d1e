"""The engine's own time for one step, without the graph call: writes results/host.json.

Rows of requests of their own, at different steps, in a denoiser-like program (12 schedule numbers a row, state, a
parameter) on the fake runtime, whose time is taken out. *Interrupted*: something happens during every call, so that
each step is planned and committed by itself. Else nothing happens, and there are runs of several calls of 1 ms or more.
Run it from the root of the project:
PYTHONPATH=tests python tests/bench/bench_host.py
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from brood.engine.cost import CostModel
from brood.engine.executor import Executor
from brood.engine.model import EngineModel
from brood.engine.rows import make_job
from brood.engine.scheduler import Scheduler
from helpers.bundles import edit_manifest, steps_bundle
from helpers.engine import engine_model, generation

RESULT = Path(__file__).parent / "results" / "host.json"
BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128)
STEPS, COUNTED, ROUNDS = 600, 400, 5


class Timed:
    """A runtime that takes no time: what it takes is counted and can be taken out."""

    def __init__(self, runtime: Any) -> None:
        self._runtime = runtime
        self.capacity = runtime.capacity
        self.state_bytes = runtime.state_bytes
        self.seconds = 0.0

    def write(self, slot: int, name: str, value: np.ndarray) -> None:
        self._runtime.write(slot, name, value)

    def read(self, slot: int, name: str) -> np.ndarray:
        found: np.ndarray = self._runtime.read(slot, name)
        return found

    def run(self, *given: Any) -> dict[str, np.ndarray]:
        began = time.perf_counter()
        found: dict[str, np.ndarray] = self._runtime.run(*given)
        self.seconds += time.perf_counter() - began
        return found


def one(directory: Path, rows: int, interrupted: bool) -> dict[str, float]:
    """Median microseconds of the parts of a step."""
    loaded = engine_model(directory, capacity=256)
    runtime = Timed(loaded.runtime)
    cost = {graph: {bucket: 0.001 * (1 + bucket / 64) for bucket in BUCKETS} for graph in ("begin", "step", "finish")}
    model = EngineModel(loaded.name, 1, loaded.programs, runtime, CostModel(cost))
    scheduler, executor = Scheduler(), Executor(interrupted=lambda: interrupted)
    for number in range(rows):
        scheduler.add(make_job(generation(model, str(number), steps=STEPS + number, seed=number), model, 0.0))
    parts: dict[str, list[float]] = {"plan": [], "execute": [], "commit": []}
    counted = 0
    while counted < COUNTED:
        runtime.seconds = 0.0
        times = [time.perf_counter()]
        plan = scheduler.plan(0.0)
        times.append(time.perf_counter())
        if plan is None or len(plan.rows) != rows:
            raise RuntimeError(f"expected a call of {rows} rows")
        report = executor.execute(plan)
        times.append(time.perf_counter())
        scheduler.commit(plan, report)
        times.append(time.perf_counter())
        plan_s, execute_s, commit_s = np.diff(times)
        for name, seconds in zip(parts, (plan_s, execute_s - runtime.seconds, commit_s), strict=True):
            parts[name].append(1e6 * seconds / report.steps)
        counted += report.steps
    return {name: statistics.median(values) for name, values in parts.items()}


def silent(directory: Path) -> Path:
    """The same program without noise in its steps."""

    def edit(words: dict[str, Any]) -> None:
        words["graphs"]["step"]["inputs"]["noise"] |= {"role": "schedule", "noise": None}
        for operation in words["operations"].values():
            for stage in operation["stages"]:
                if stage["graph"] == "step":
                    stage["bind"] = {"noise": 0.0}

    return edit_manifest(directory, edit)


def main() -> None:
    with tempfile.TemporaryDirectory() as room:
        drawn = steps_bundle(Path(room), name="drawn")
        bundles = {"with_noise": drawn, "without_noise": silent(steps_bundle(Path(room), name="silent"))}
        ways = {name + end: (name, not end) for name in bundles for end in ("", "_in_runs")}
        found: dict[str, Any] = {way: {} for way in ways}
        runs = [(way, rows) for _ in range(ROUNDS) for way in ways for rows in (1, 8, 32, 128)]
        for way, rows in runs:
            name, interrupted = ways[way]
            found[way].setdefault(str(rows), []).append(one(bundles[name], rows, interrupted))
    told = {
        name: {
            rows: {part: round(statistics.median(run[part] for run in each), 1) for part in each[0]}
            | {"all": round(statistics.median(sum(run.values()) for run in each), 1)}
            for rows, each in by_rows.items()
        }
        for name, by_rows in found.items()
    }
    result = {
        "command": "PYTHONPATH=tests python tests/bench/bench_host.py",
        "machine": {"cores": os.cpu_count(), "system": platform.system(), "architecture": platform.machine()},
        "unit": "microseconds a step, without the graph call",
        **told,
    }
    RESULT.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(told, indent=2))


if __name__ == "__main__":
    main()
