"""What counting costs, and what is counted: each metric, an expression that uses it, and its value under load.

python tests/bench/bench_metrics.py     writes tests/bench/results/metrics.json; needs Prometheus in the PATH
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE.parent))
TURNS = 20_000
LOAD_S = 15.0


def microseconds(work: Callable[[], None]) -> float:
    """Time of one call, the best of five rounds."""
    rounds = []
    for _ in range(5):
        begin = time.process_time()  # of this process: others may be busy
        for _ in range(TURNS):
            work()
        rounds.append((time.process_time() - begin) / TURNS)
    return round(min(rounds) * 1e6, 2)


def costs() -> dict[str, float]:
    """Microseconds that a request and a graph call take to be counted, into files as in service."""
    with tempfile.TemporaryDirectory() as directory:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = directory
        from brood.observe.metrics import Metrics

        metrics = Metrics()

        def request() -> None:
            for part in ("first_sample", "queue", "run", "encode"):
                metrics.timed("vae", "generate", part, 0.01)
            metrics.finished("vae", "generate", "http", "ok", 0.02, 1)

        def step() -> None:
            metrics.stepped("vae", "decode", 7, 8, 0.002, 0.1)
            metrics.queued(3, 0.1)

        return {"request_us": microseconds(request), "graph_call_us": microseconds(step)}


def values() -> list[dict[str, Any]]:
    """One row a metric: how it is used, and what that gives at the end of a load."""
    from brood.observe.catalogue import CATALOGUE
    from helpers.load import some_load
    from helpers.prometheus import Prometheus
    from helpers.served import Served

    models = [word for name in ("glyphs-vae", "glyphs-diffusion") for word in ("--model", name)]
    server = Served(*models, "--threads", "1", "--parity-every-s", "1")
    with tempfile.TemporaryDirectory() as directory:
        rules = ROOT / "deploy" / "observability" / "rules.yaml"
        watch = Prometheus(Path(directory), rules, server.metrics_port)
        try:
            some_load(server.http_port, server.grpc_port, LOAD_S)
            time.sleep(3)
            rows = []
            for spec in CATALOGUE:
                expression = used(spec.name, spec.kind)
                found = watch.values(expression)
                rows.append({"metric": spec.name, "expression": expression, "value": found[0][1] if found else None})
            return rows
        finally:
            watch.end()
            server.end()


def used(name: str, kind: str) -> str:
    """An expression with one value."""
    if kind == "histogram":
        return f"histogram_quantile(0.5, sum by (le) (rate({name}_bucket[1m])))"
    return f"sum(increase({name}[1m]))" if kind == "counter" else f"max({name})"


if __name__ == "__main__":
    result = {"command": "python tests/bench/bench_metrics.py", "counting": costs(), "metrics": values()}
    (HERE / "results" / "metrics.json").write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))
