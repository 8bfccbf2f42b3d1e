"""What was measured, as JSON and as a Markdown table."""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import statistics
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from bench.peers.environments import ENVIRONMENTS

COMMAND = "make bench-peers"
COLUMNS = (
    "of raw",
    "samples/s",
    "p50 ms",
    "p99 ms",
    "p50, open",
    "p99, open",
    "CPU s per 1,000",
    "memory MB",
    "started s",
)
HEAD, RULE = f"| | {' | '.join(COLUMNS)} |", "|---" * (1 + len(COLUMNS)) + "|"
LEFT_OUT = ("out", "make_environments")
OURS, OTHERS = "#0b6e99", "#b8b8b8"


def write_report(given: argparse.Namespace, results: Mapping[str, Any]) -> None:
    """Write ``given.out``, and beside it the same as tables and as a picture."""
    words = {
        "command": COMMAND if given.threads > 1 else f"{COMMAND} ARGS='--threads {given.threads}'",
        "options": {name: str(value) for name, value in vars(given).items() if name not in LEFT_OUT},
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {
            "cores": os.cpu_count(),
            "processor": _processor(),
            "system": platform.system(),
            "architecture": platform.machine(),
        },
        "packages": {name: each.packages for name, each in ENVIRONMENTS.items()},
        "workloads": results,
    }
    path: Path = given.out
    path.write_text(json.dumps(words, indent=2) + "\n")
    path.with_suffix(".md").write_text("\n".join(_page(words)) + "\n")
    _draw(words, path.with_suffix(".png"))


def _page(words: Mapping[str, Any]) -> Iterable[str]:
    machine, options = words["machine"], words["options"]
    yield f"# brood and others, {words['date'][:10]}"
    yield ""
    threads = "one thread a call" if options["threads"] == "1" else f"{options['threads']} threads"
    yield f"{machine['cores']} cores ({machine['processor']}), ONNX Runtime with {threads} in every"
    yield f"server; medians of {options['rounds']} rounds of {options['seconds']} s (slow workloads: up to three times"
    yield "as long); the load is on the same cores. Open: requests come at 0.4 of the bare session's rate, and at most"
    yield f"400 a second. `{words['command']}`."
    for name, found in words["workloads"].items():
        raw = found["raw"]
        yield from ("", f"## {name}", "", HEAD, RULE)
        label, rate = f"raw session, {raw['rows']} rows a call", f"{raw['samples_per_s']:,.4g}"
        yield f"| {label} | 1 | {rate} | {raw['ms']:.3g} | | | | {raw['cpu_s_per_1000']:.3g} | {raw['pss_mb']:.0f} | |"
        lines = [(_rate(each), _row(label, each, raw)) for label, each in found["contenders"].items()]
        yield from (line for _, line in sorted(lines, key=lambda pair: -pair[0]))
        yield from _kinds(found["contenders"])


def _kinds(contenders: Mapping[str, Any]) -> Iterable[str]:
    """Of requests of several lengths: how long each waits in the open loop."""
    told = {name: each["open"] for name, each in contenders.items() if each.get("open") and each["open"][0]["kinds"]}
    if not told:
        return
    kinds = list(next(iter(told.values()))[0]["kinds"])
    yield from (
        "",
        f"| open, ms | {' | '.join(f'{kind}: p50 | p95' for kind in kinds)} |",
        "|---" * (1 + 2 * len(kinds)) + "|",
    )
    for name, rounds in told.items():
        cells = [
            _number(_median(each["kinds"][kind][at] for each in rounds)) for kind in kinds for at in ("p50", "p95")
        ]
        yield f"| {name} | {' | '.join(cells)} |"


def _draw(words: Mapping[str, Any], path: Path) -> None:
    """Ratios to the bare session, a panel for each workload."""
    workloads = words["workloads"]
    columns = min(3, len(workloads))
    rows = -(-len(workloads) // columns)
    figure = Figure(figsize=(4.6 * columns, 2.9 * rows), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).flat
    for panel, (name, found) in zip(panels, workloads.items(), strict=False):
        rates = {each: _rate(one) / found["raw"]["samples_per_s"] for each, one in found["contenders"].items()}
        lines = sorted(rates.items(), key=lambda pair: pair[1])
        colours = [OURS if each.startswith("brood") else OTHERS for each, _ in lines]
        panel.barh([each for each, _ in lines], [rate for _, rate in lines], color=colours)
        panel.axvline(1, color="black", lw=0.8, ls=":")
        panel.set_title(name, fontsize="small")
        panel.tick_params(labelsize="x-small")
    for panel in list(figure.axes)[len(workloads) :]:
        panel.set_visible(False)
    machine = words["machine"]
    figure.suptitle(f"samples a second, of the bare session's: {machine['cores']} cores, {words['date'][:10]}")
    figure.savefig(path, dpi=110)


def _row(name: str, found: Mapping[str, Any], raw: Mapping[str, float]) -> str:
    if "failed" in found:
        return f"| {name} | - | {found['failed'][:100]} | | | | | | | |"
    closed, opened = found["closed"], found["open"]
    bad = sum(each["requests"] - each["right"] for each in (*closed, *opened))
    label = f"{name} ({bad} failed)" if bad else name
    cells = [
        f"{_rate(found) / raw['samples_per_s']:.2g}",
        f"{_rate(found):,.4g}",
        *[_latency(closed, percent) for percent in ("p50", "p99")],
        *[_latency(opened, percent) for percent in ("p50", "p99")],
        _number(_median(each["cpu_s_per_1000"] for each in closed)),
        str(found.get("pss_mb", "")),
        str(found["started_s"]),
    ]
    return f"| {label} | {' | '.join(cells)} |"


def _rate(found: Mapping[str, Any]) -> float:
    return _median(each["samples_per_s"] for each in found.get("closed", ())) if found.get("closed") else 0.0


def _latency(rounds: Iterable[Mapping[str, Any]], percent: str) -> str:
    return _number(_median((each["latency_ms"] or {}).get(percent) for each in rounds))


def _median(values: Iterable[Any]) -> float:
    """What never was is worse than all numbers."""
    found = [value if isinstance(value, int | float) else math.inf for value in values]
    return float(statistics.median(found)) if found else math.inf


def _number(value: float) -> str:
    return "never" if math.isinf(value) else f"{value:.3g}"


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
