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


def write_report(given: argparse.Namespace, raws: Mapping[str, Any], results: Mapping[str, Any]) -> None:
    """Write ``given.out``, and beside it the same as tables."""
    words = {
        "command": COMMAND,
        "options": {name: str(value) for name, value in vars(given).items() if name != "out"},
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {
            "cores": os.cpu_count(),
            "processor": _processor(),
            "system": platform.system(),
            "architecture": platform.machine(),
        },
        "packages": {name: each.packages for name, each in ENVIRONMENTS.items()},
        "raw": raws,
        "workloads": results,
    }
    path: Path = given.out
    path.write_text(json.dumps(words, indent=2) + "\n")
    path.with_suffix(".md").write_text("\n".join(_page(words)) + "\n")


def _page(words: Mapping[str, Any]) -> Iterable[str]:
    machine, options = words["machine"], words["options"]
    yield f"# brood and others, {words['date'][:10]}"
    yield ""
    yield f"{machine['cores']} cores ({machine['processor']}), ONNX Runtime with {options['threads']} threads in every"
    yield f"server; medians of {options['rounds']} rounds of {options['seconds']} s; the load is on the same cores."
    yield f"Open: requests come at 0.4 of the bare session's rate, and at most 400 a second. `{words['command']}`."
    for name, found in words["workloads"].items():
        raw = found["raw"]
        yield from ("", f"## {name}", "", HEAD, RULE)
        label, rate = f"raw session, {raw['rows']} rows a call", f"{raw['samples_per_s']:,.0f}"
        yield f"| {label} | 1 | {rate} | {raw['ms']:.3g} | | | | {raw['cpu_s_per_1000']:.3g} | {raw['pss_mb']:.0f} | |"
        lines = [(_rate(each), _row(label, each, raw)) for label, each in found["contenders"].items()]
        yield from (line for _, line in sorted(lines, key=lambda pair: -pair[0]))


def _row(name: str, found: Mapping[str, Any], raw: Mapping[str, float]) -> str:
    if "failed" in found:
        return f"| {name} | - | {found['failed'][:100]} | | | | | | | |"
    closed, opened = found["closed"], found["open"]
    bad = sum(each["requests"] - each["right"] for each in (*closed, *opened))
    label = f"{name} ({bad} failed)" if bad else name
    cells = [
        f"{_rate(found) / raw['samples_per_s']:.2g}",
        f"{_rate(found):,.0f}",
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
