"""Each metric, an expression that uses it, and its value under load; and the dashboards of the same run as pictures.

A split server with two workers, one bundle that cannot be loaded, callers who come and go, and one worker killed; a
real Prometheus scrapes it each second. Writes docs/metrics-run.md and docs/pictures/*.png; needs prometheus in PATH.
Run it from the root of the project, about four minutes: PYTHONPATH=tests python tests/bench/metrics_run.py
"""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from brood.observe.catalogue import CATALOGUE, Spec
from brood.observe.triton import ALIASES
from brood.store.store import zoo_root
from helpers.bundles import broken_bundles
from helpers.load import ONCE, STEPS, some_load
from helpers.panels import Span, draw, value
from helpers.prometheus import Prometheus
from helpers.served import Served, eventually

ROOT = Path(__file__).parents[2]
OBSERVABILITY, DOCS = ROOT / "deploy" / "observability", ROOT / "docs"
COMMAND = "PYTHONPATH=tests python tests/bench/metrics_run.py"
PHASES = ((30.0, 2), (60.0, 10), (30.0, 3))  # seconds, callers at once
KILL_S = 25.0  # after the second phase began
QUIET_S = 20.0
PATIENCE_S = 120.0
GPU = "brood_device_"
UNITS = {"seconds": "s", "bytes": "bytes"}


def main() -> None:
    """The run, and what is told of it."""
    with tempfile.TemporaryDirectory() as room:
        generators = json.dumps([{"name": "small", "replicas": 2, "threads": 1}])
        server = Served("--models", str(store(Path(room))), "--topology", "split", "--generators", generators,
                        "--parity-every-s", "15")  # fmt: skip
        try:
            watch = Prometheus(Path(room), OBSERVABILITY / "rules.yaml", server.metrics_port)
            try:
                eventually(lambda: watch.values(f'brood_model_ready{{model="{STEPS}"}} == 2'), PATIENCE_S)
                span = under_load(server)
                page(watch, span)
                for board in boards():
                    filled = draw(board, watch, span, DOCS / "pictures" / f"dashboard-{board.stem}.png")
                    print(f"{board.stem}: {filled} panels with data")
            finally:
                watch.end()
        finally:
            server.end()


def store(room: Path) -> Path:
    """Two shipped models, and some that cannot be loaded."""
    root = room / "store"
    for name in (ONCE, STEPS):
        shutil.copytree(zoo_root() / name, root / name)
    broken_bundles(root)
    return root


def under_load(server: Served) -> Span:
    """Callers come and go; a worker is killed while there are most."""
    start = time.time()
    with ThreadPoolExecutor(1) as other:
        for number, (seconds, callers) in enumerate(PHASES):
            load = other.submit(some_load, server.http_port, server.grpc_port, seconds, callers)
            if number == 1:
                time.sleep(KILL_S)
                next(each for each in server.processes() if "brood:generator" in " ".join(each.cmdline())).kill()
            load.result()
    time.sleep(QUIET_S)
    return Span(start, time.time())


def boards() -> list[Path]:
    """The dashboards that have something to show on a machine without a GPU."""
    return [path for path in sorted((OBSERVABILITY / "dashboards").glob("*.json")) if path.stem != "devices"]


def page(watch: Prometheus, span: Span) -> None:
    """Write the page."""
    whole = f"{span.end - span.start:.0f}s"
    rows = [row(watch, spec.name, used(spec, whole), UNITS.get(unit(spec), "")) for spec in CATALOGUE]
    rows += [row(watch, alias.name, f"sum(increase({alias.name}[{whole}]))", "") for alias in ALIASES]
    pictures = [f"![{board.stem}](pictures/dashboard-{board.stem}.png)" for board in boards()]
    text = [
        "# Metrics under load",
        f"<!-- Made by {COMMAND} -->",
        f"A split server with two workers; 2, then 10, then 3 callers over HTTP and gRPC; one worker killed after "
        f"{PHASES[0][0] + KILL_S:.0f} s; scraped each second by Prometheus. Below is each metric, an expression that "
        f"uses it, and what that gives at the end. The machine has no GPU and was not quiet: the numbers show that "
        f"each is fed, not how fast anything is. To make this page again: `{COMMAND}`.",
        "| metric | expression | value |\n|---|---|---|\n" + "\n".join(rows),
        "## The dashboards",
        "The panels of `deploy/observability/dashboards`, drawn with matplotlib from what Prometheus answers to their "
        "queries over this run, over the seconds since it began. Grafana draws them in its own way.",
        *pictures,
    ]
    (DOCS / "pictures").mkdir(exist_ok=True)
    (DOCS / "metrics-run.md").write_text("\n\n".join(text) + "\n")


def row(watch: Prometheus, name: str, expression: str, of: str) -> str:
    """A line of the table."""
    found = watch.values(expression)
    told = value(found[0][1], of) if found else "no GPU here" if name.startswith(GPU) else "nothing"
    return f"| `{name}` | `{expression}` | {told} |"


def unit(spec: Spec) -> str:
    """What a metric counts, by its name."""
    return next((word for word in UNITS if spec.name.removesuffix("_total").endswith(word)), "")


def used(spec: Spec, whole: str) -> str:
    """An expression with one value."""
    match spec.kind:
        case "histogram":
            return f"histogram_quantile(0.9, sum by (le) (rate({spec.name}_bucket[{whole}])))"
        case "counter":
            return f"sum(increase({spec.name}[{whole}]))"
        case "gauge":
            return f"max_over_time(sum({spec.name})[{whole}:1s])"


if __name__ == "__main__":
    main()
