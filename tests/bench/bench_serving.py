"""brood alone, by the load generator: writes results/serving.json and results/serving.md. About ten minutes.

Every protocol, 1 to 256 clients, pictures against raw numbers, steps, mixes, streams, and an open loop, against one
`brood serve` of the shipped models and of two untrained generators (``dcgan``: 64×64; ``mlp``: next to no work).

    PYTHONPATH=tests python tests/bench/bench_serving.py [--seconds 6] [--only mlp]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.peers.environments import KEPT
from bench.peers.graphs import write_store
from brood.loadgen.measures import Spread, Summary
from brood.loadgen.orders import read_orders
from brood.loadgen.run import Plan
from brood.loadgen.session import Quick, measure
from brood.loadgen.stages import Stage, read_closed, read_open
from brood.loadgen.ways import Target
from helpers.served import Served

RESULT = Path(__file__).parent / "results" / "serving.json"
COMMAND = "make bench"
CLOSED = (read_closed("32"),)
SWEEP = tuple(read_closed(clients) for clients in ("1", "4", "16", "64", "256"))
OPEN = tuple(read_open(rate) for rate in ("50", "200"))
ONE, MIXED = (
    ("100% model=glyphs-diffusion steps=20",),
    ("50% model=glyphs-diffusion steps=4", "50% model=glyphs-diffusion steps=50"),
)
MODELS = ("25% model=glyphs-gan", "25% model=glyphs-vae", "25% model=glyphs-flow", "25% model=glyphs-diffusion steps=4")


@dataclass(frozen=True)
class Load:
    """One line, or several, of the table."""

    name: str
    requests: Sequence[str]
    stages: Sequence[Stage] = CLOSED
    protocol: str = "http"
    stream: bool = False

    @property
    def scheme(self) -> str:
        return "grpc" if self.protocol.endswith("grpc") else "http"


LOADS = (
    Load("mlp, own HTTP", ("100% model=mlp-gan accept=npy",), SWEEP),
    Load("mlp, own gRPC", ("100% model=mlp-gan",), SWEEP, "grpc"),
    Load("mlp, OIP HTTP", ("100% model=mlp-gan",), CLOSED, "oip"),
    Load("mlp, OIP gRPC", ("100% model=mlp-gan",), CLOSED, "oip-grpc"),
    Load("mlp, own HTTP, JSON", ("100% model=mlp-gan",)),
    Load("mlp, own HTTP, events", ("100% model=mlp-gan",), stream=True),
    Load("dcgan, own HTTP", ("100% model=dcgan-gan accept=npy",), (*CLOSED, *OPEN)),
    Load("dcgan, own gRPC", ("100% model=dcgan-gan",), (*CLOSED, *OPEN), "grpc"),
    Load("dcgan, PNG", ("100% model=dcgan-gan accept=png",)),
    Load("dcgan, OpenAI", ("100% model=dcgan-gan",), CLOSED, "openai"),
    Load("dcgan, n=16", ("100% model=dcgan-gan n=16 accept=safetensors",)),
    Load("dcgan, n=500", ("100% model=dcgan-gan n=500 accept=safetensors",), (read_closed("4"),)),
    Load("diffusion, 20 steps", ONE),
    Load(
        "diffusion, 20 steps, previews", ("100% model=glyphs-diffusion steps=20 preview_every=5",), CLOSED, "grpc", True
    ),
    Load("diffusion, half 4 and half 50 steps", MIXED),
    Load("four models", MODELS),
    Load("pixelrnn", ("100% model=glyphs-pixelrnn",)),
    Load("rbm", ("100% model=glyphs-rbm",)),
)


def measured(load: Load, server: Served, seconds: float, quick: Quick) -> list[dict[str, Any]]:
    """The stages of a load, with what they cost the server's processes."""
    port = server.http_port if load.scheme == "http" else server.grpc_port
    target = Target(f"{load.scheme}://127.0.0.1:{port}", load.protocol, load.stream)
    plan = Plan(read_orders(load.requests), seconds, warm_up_s=1.0)
    found = []
    for stage in load.stages:
        before = _cpu_s(server)
        (summary,) = measure(
            target, plan, (stage,), None, lambda told: print(f"{load.name}, {_line(told)}", flush=True), quick
        )
        server_us = 1e6 * (_cpu_s(server) - before) / max(1, summary.own.requests)
        found.append({"load": load.name, **summary.words(), "server_cpu_us": round(server_us)})
    return found


def _cpu_s(server: Served) -> float:
    return sum(sum(process.cpu_times()[:2]) for process in server.processes())


def _line(summary: Summary) -> str:
    total = summary.total
    p99 = _of(total.latency_ms, "p99")
    return f"{summary.stage}: {total.samples_per_s:,.4g} samples/s, p99 {p99} {total.errors or ''}"


def _of(spread: Spread | None, name: str) -> str:
    return "-" if spread is None else f"{getattr(spread, name):.3g} ms"


def page(words: dict[str, Any]) -> Iterator[str]:
    """The table."""
    yield f"# brood under load, {words['date'][:10]}, {words['machine']['cores']} cores: `{COMMAND}`"
    yield ""
    yield "| | load | samples/s | p50 ms | p99 ms | first sample p50 | server CPU µs a request | load's own | failed |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for line in words["stages"]:
        total = line["total"]
        latency, first = total["latency_ms"] or {}, total["first_sample_ms"] or {}
        cells = [line["load"], line["stage"], total["samples_per_s"], latency.get("p50"), latency.get("p99")]
        cells += [first.get("p50", ""), line["server_cpu_us"], line["own"]["cpu_us"], _failed(total)]
        yield "| " + " | ".join(map(str, cells)) + " |"


def _failed(total: dict[str, Any]) -> str:
    return ", ".join(f"{count} {code}" for code, count in total["errors"].items())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=8.0, help="of a stage")
    parser.add_argument("--threads", type=int, default=1, help="of the server, within one call")
    parser.add_argument("--only", default="", help="a part of the loads' names")
    parser.add_argument("--out", type=Path, default=RESULT)
    given = parser.parse_args()
    store = KEPT.parent / "bench-store"
    write_store(store, KEPT / "graphs")
    began = time.monotonic()
    server = Served("--models", str(store), "--threads", str(given.threads))
    print(f"serves after {time.monotonic() - began:.1f} s", flush=True)
    try:
        loads = [load for load in LOADS if given.only in load.name]
        with Quick() as quick:
            stages = [line for load in loads for line in measured(load, server, given.seconds, quick)]
        memory = round(sum(process.memory_full_info().pss for process in server.processes()) / 1e6)
    finally:
        server.end()
    words = {
        "command": COMMAND,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {"cores": os.cpu_count(), "system": platform.system(), "architecture": platform.machine()},
        "seconds": given.seconds,
        "threads": given.threads,
        "pss_mb": memory,
        "stages": stages,
    }
    given.out.write_text(json.dumps(words, indent=2) + "\n")
    given.out.with_suffix(".md").write_text("\n".join(page(words)) + "\n")


if __name__ == "__main__":
    main()
