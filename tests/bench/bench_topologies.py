"""Topologies and ways of Ray Serve side by side, with real work: writes results/topologies.{json,md}.

Every server runs all the time, each with the same two untrained generators and one thread for graphs: `bare` (brood
without Ray), `colocated` and `split` (`brood serve`; one worker), and brood's application and engine behind Serve's
direct ingress, HAProxy and default proxy. In every round they are measured in turn, in closed loops of brood's own load
generator on the same machine; so is the bare session, at the size of call at which it does best. Told are medians over
the rounds, and the medians of the ratios to the bare session of the same round.
Run it from the root of the project, on a quiet machine:
PYTHONPATH=tests python tests/bench/bench_topologies.py [--seconds 3] [--rounds 3]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import onnxruntime
import psutil

from bench.bench_ingress import Mode
from bench.peers.environments import KEPT
from bench.peers.graphs import LATENT, write_graphs
from brood.loadgen.orders import Order
from brood.loadgen.run import Plan
from brood.loadgen.session import Quick, measure
from brood.loadgen.stages import Closed
from brood.loadgen.ways import Target
from helpers.served import Served, eventually

RESULT = Path(__file__).parent / "results" / "topologies.json"
COMMAND = "PYTHONPATH=tests python tests/bench/bench_topologies.py"
STORE = KEPT / "graphs" / "store"
SIZES = (1, 4, 8, 16, 32)  # rows of a call, of the bare session
WARM_UP_S, START_S = 1.0, 90.0
OWN, PROXIED = ("bare", "colocated", "split"), ("direct", "haproxy", "proxy")


@dataclass(frozen=True)
class Load:
    """Requests that are alike, from clients that each have one under way."""

    graph: str
    n: int  # samples of a request
    clients: int
    scheme: str = "http"

    @property
    def name(self) -> str:
        """What the table calls it."""
        return f"{self.graph} n={self.n} {self.scheme}"

    @property
    def order(self) -> Order:
        """In the load generator's words; the server draws the latents."""
        return Order(f"{self.graph}-gan", n=self.n, accept="npy" if self.n == 1 else "safetensors")


LOADS = (
    Load("dcgan", 1, 32),
    Load("dcgan", 16, 32),
    Load("mlp", 1, 32),
    Load("dcgan", 1, 32, "grpc"),
    Load("mlp", 1, 32, "grpc"),
)


class Server(Protocol):
    """What is measured."""

    http_port: int
    grpc_port: int

    def cpu_s(self) -> dict[int, float]:
        """Processor seconds of each of its processes so far."""
        ...


class Command:
    """`brood serve`."""

    def __init__(self, *arguments: str) -> None:
        self._served = Served("--models", str(STORE), "--threads", "1", "--parity-every-s", "0", *arguments)
        self.http_port, self.grpc_port = self._served.http_port, self._served.grpc_port
        self.close = self._served.end

    def cpu_s(self) -> dict[int, float]:
        """Processor seconds of each of its processes so far."""
        return {process.pid: sum(process.cpu_times()[:2]) for process in self._served.processes()}


def start(name: str, stack: ExitStack, quick: Quick) -> Server:
    """A server of a name, that answers."""
    began = time.monotonic()
    server = Command("--topology", name) if name in ("colocated", "split") else Mode(name, STORE)
    stack.callback(server.close)
    eventually(lambda: _answers(server, quick), START_S)
    print(f"{name} answers after {time.monotonic() - began:.1f} s", flush=True)
    return server


def _answers(server: Server, quick: Quick) -> bool:
    load = Load("mlp", 1, 1)
    plan, stages = Plan((load.order,), 0.2), (Closed(1, 1),)
    (summary,) = measure(_target(server, load), plan, stages, None, lambda told: None, quick)
    return not summary.total.errors


def _target(server: Server, load: Load) -> Target:
    port = server.http_port if load.scheme == "http" else server.grpc_port
    return Target(f"{load.scheme}://127.0.0.1:{port}")


def pressed(server: Server, load: Load, seconds: float, seed: int, quick: Quick) -> dict[str, Any]:
    """One closed loop."""
    plan, before = Plan((load.order,), seconds, WARM_UP_S, seed=seed), server.cpu_s()
    stages = (Closed(load.clients, load.clients),)
    (summary,) = measure(_target(server, load), plan, stages, None, lambda told: None, quick)
    spent = sum(total - before.get(pid, 0.0) for pid, total in server.cpu_s().items())
    total, own = summary.total, summary.own
    assert total.latency_ms is not None, total.errors
    return {
        "samples_per_s": total.samples_per_s,
        "p50_ms": total.latency_ms.p50,
        "p99_ms": total.latency_ms.p99,
        "server_cpu_us": 1e6 * spent / max(1, own.requests),
        "failed": sum(total.errors.values()),
    }


class Raw:
    """The bare session of a graph, in this process."""

    def __init__(self, graph: str, seconds: float) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        file = str(KEPT / "graphs" / f"{graph}.onnx")
        self._session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
        self.rows = max(SIZES, key=lambda rows: self.samples_per_s(rows, seconds))

    def samples_per_s(self, rows: int, seconds: float) -> float:
        """As fast as it goes."""
        z = np.random.default_rng(rows).standard_normal((rows, LATENT), np.float32)
        for _ in range(3):
            self._session.run(None, {"z": z})
        calls, began = 0, time.perf_counter()
        while time.perf_counter() < began + seconds:
            self._session.run(None, {"z": z})
            calls += 1
        return calls * rows / (time.perf_counter() - began)


def idle_cores(servers: dict[str, Server], seconds: float = 3.0) -> dict[str, float]:
    """What each server uses while nobody asks for anything."""
    before = {name: sum(server.cpu_s().values()) for name, server in servers.items()}
    time.sleep(seconds)
    return {name: round((sum(server.cpu_s().values()) - before[name]) / seconds, 3) for name, server in servers.items()}


def rounds(
    servers: dict[str, Server], seconds: float, count: int, quick: Quick
) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(load, server, figures), again and again."""
    raw = {graph: Raw(graph, seconds / 3) for graph in {load.graph: 0 for load in LOADS}}
    for number in range(count):
        for load in LOADS:
            session = raw[load.graph]
            bare = session.samples_per_s(session.rows, seconds / 2)
            yield load.name, "raw", {"samples_per_s": bare, "rows": session.rows}
            for name, server in servers.items():
                if load.scheme == "http" or name in OWN:  # brood's gRPC needs the context that Serve's proxy leaves out
                    found = pressed(server, load, seconds, number, quick)
                    found["ratio"] = found["samples_per_s"] / bare
                    print(f"{load.name}, {name}: {found['samples_per_s']:,.4g} samples/s", flush=True)
                    yield load.name, name, found


def medians(found: list[dict[str, Any]]) -> dict[str, Any]:
    """Of all rounds."""
    middle: dict[str, Any] = {key: _digits(statistics.median(each[key] for each in found)) for key in found[0]}
    if "failed" in middle:
        middle["failed"] = sum(each["failed"] for each in found)
    return middle


def _digits(value: float) -> float:
    return float(f"{value:.3g}")


def page(words: dict[str, Any]) -> Iterator[str]:
    """The table: samples a second, and in brackets the part of the bare session's."""
    loads = words["loads"]
    yield f"# Topologies and ways in, {words['machine']['cores']} cores: `{words['command']}`"
    yield ""
    yield f"| | {' | '.join(loads)} |"
    yield f"|---|{'---|' * len(loads)}"
    for name in ("raw", *OWN, *PROXIED):
        yield f"| {name} | {' | '.join(_cell(servers.get(name)) for servers in loads.values())} |"


def _cell(found: dict[str, Any] | None) -> str:
    if found is None:
        return "-"
    ratio = f" ({found['ratio']:.2f})" if "ratio" in found else ""
    return f"{found['samples_per_s']:,g}{ratio}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3.0, help="of a measurement")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    (KEPT / "graphs").mkdir(parents=True, exist_ok=True)
    write_graphs(KEPT / "graphs")
    began = time.monotonic()
    table: dict[str, dict[str, list[dict[str, Any]]]] = {}
    with ExitStack() as stack, Quick() as quick:
        servers = {name: start(name, stack, quick) for name in (*OWN, *PROXIED)}
        idle = idle_cores(servers)
        for load, name, found in rounds(servers, given.seconds, given.rounds, quick):
            table.setdefault(load, {}).setdefault(name, []).append(found)
    words = {
        "command": f"{COMMAND} --seconds {given.seconds:g} --rounds {given.rounds}",
        "machine": {"cores": os.cpu_count(), "system": platform.system(), "architecture": platform.machine()},
        "took_s": round(time.monotonic() - began),
        "load_average": [round(each, 1) for each in psutil.getloadavg()],
        "idle_cores": idle,
        "loads": {load: {name: medians(found) for name, found in each.items()} for load, each in table.items()},
    }
    RESULT.write_text(json.dumps(words, indent=2) + "\n")
    RESULT.with_suffix(".md").write_text("\n".join(page(words)) + "\n")
    print(RESULT.with_suffix(".md").read_text())


if __name__ == "__main__":
    main()
