"""How long a server takes to start and to stop, and its memory: writes results/start.json.

Run it from the root of the project: PYTHONPATH=tests python tests/bench/bench_start.py
"""

from __future__ import annotations

import json
import os
import platform
import signal
import statistics
import time
from pathlib import Path
from typing import Any

import httpx2

from helpers.served import Served

RESULT = Path(__file__).parent / "results" / "start.json"
COMMAND = "PYTHONPATH=tests python tests/bench/bench_start.py"
REPEATS = 5


def measure() -> tuple[dict[str, float], dict[str, float]]:
    """Seconds of one life, and the memory of its processes in MB."""
    began = time.monotonic()
    server = Served()
    ready = time.monotonic()
    body = {"model": "glyphs-gan", "seed": 7}
    httpx2.post(f"http://127.0.0.1:{server.http_port}/v1/generations", json=body).raise_for_status()
    sample = time.monotonic()
    memory = {_name(" ".join(p.cmdline())): p.memory_full_info().pss / 1e6 for p in server.processes()}
    stopping = time.monotonic()
    server.stop(signal.SIGTERM)
    times = {
        "ready_s": ready - began,
        "first_sample_s": sample - began,
        "stop_s": time.monotonic() - stopping,
    }
    return times, memory


def _name(command: str) -> str:
    known = (
        ("ServeReplica", "replica: frontends and engine"),
        ("brood serve", "brood serve: supervisor and exporter"),
        ("ServeController", "Serve's controller"),
        ("gcs_server", "gcs_server"),
        ("raylet/raylet", "raylet"),
        ("DashboardAgent", "dashboard agent"),
        ("RuntimeEnvAgent", "runtime environment agent"),
        ("dashboard.py", "dashboard head, without a dashboard"),
        ("monitor.py --logs-dir", "autoscaler's monitor"),
        ("autoscaler/_private/monitor.py", "autoscaler's monitor"),
        ("log_monitor.py", "log monitor"),
    )
    return next((name for part, name in known if part in command), command[:60])


def main() -> None:
    runs = [measure() for _ in range(REPEATS)]
    times = {name: [round(times[name], 2) for times, _ in runs] for name in runs[0][0]}
    memory = runs[-1][1]
    result: dict[str, Any] = {
        "command": COMMAND,
        "machine": {"cores": os.cpu_count(), "system": platform.system(), "architecture": platform.machine()},
        "python": platform.python_version(),
        "median": {name: statistics.median(found) for name, found in times.items()},
        "runs": times,
        "pss_mb": {name: round(size) for name, size in sorted(memory.items(), key=lambda item: -item[1])},
        "pss_mb_in_all": round(sum(memory.values())),
    }
    RESULT.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
