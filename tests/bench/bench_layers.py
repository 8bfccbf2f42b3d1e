"""What a request of the smallest generator costs, layer by layer: writes results/layers.json and .md.

CPU µs of the server's processes, not time: the same request is made at the border of one layer after another, and the
difference is the layer's. Everything below the sockets is called in one process (`layers/drives.py`); then comes a
server without Ray, and then `brood serve`. With 32 clients, calls are shared. Beside them stands what uvicorn and
grpc.aio alone take, in a server that answers every request at once with the same bytes.

    PYTHONPATH=tests python tests/bench/bench_layers.py [--seconds 3] [--requests 2000] [--rounds 3]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.layers.setting import MODEL
from bench.peers.environments import KEPT
from bench.peers.graphs import write_store
from brood.loadgen.orders import read_orders
from brood.loadgen.run import Plan
from brood.loadgen.session import Quick, measure
from brood.loadgen.stages import Closed
from brood.loadgen.ways import Target
from helpers.served import Served, eventually, free_port

HERE = Path(__file__).parent
RESULT = HERE / "results" / "layers.json"
COMMAND = "PYTHONPATH=tests python tests/bench/bench_layers.py"
CLIENTS = (1, 32)
ORDERS = {"http": f"100% model={MODEL} accept=npy", "grpc": f"100% model={MODEL}"}
START_S = 60.0
# Layer → what is measured at its border, and at the one below ("": nothing is below, or it is measured by itself).
PARTS = ("graph call", "engine: job", "engine: plan", "engine: inputs", "engine: commit")
LAYERS: Mapping[str, tuple[str, str]] = {
    "events and hand-over of threads": ("host", "engine"),
    "data plane, without encoding": ("plane", "host"),
    "frontend: read, route, answer": ("{}", "plane"),
    "transport: sockets, protocol, write": ("{} socket", "{}"),
    "Ray Serve's own": ("{} served", "{} socket"),
}

Cpu = Callable[[], float]


def drives(store: Path, given: argparse.Namespace) -> dict[str, dict[str, float]]:
    """Clients → border → CPU µs, of what is below the sockets."""
    words = ["--store", store, "--requests", given.requests, "--rounds", given.rounds]
    told = subprocess.check_output(_script("drives", words), text=True, env=_variables())
    found: dict[str, dict[str, float]] = json.loads(told)
    return found


@contextmanager
def bare(store: Path) -> Iterator[tuple[Mapping[str, int], Cpu]]:
    """A server without Ray: its ports, and the CPU seconds that it has taken."""
    with _server("setting", "--store", store) as found:
        yield found


@contextmanager
def floor(store: Path) -> Iterator[tuple[Mapping[str, int], Cpu]]:
    """A server that does nothing but answer: its ports, and the CPU seconds that it has taken."""
    with _server("floor") as found:
        yield found


@contextmanager
def _server(script: str, *words: object) -> Iterator[tuple[Mapping[str, int], Cpu]]:
    ports = {"http": free_port(), "grpc": free_port()}
    command = _script(script, [*words, "--http-port", ports["http"], "--grpc-port", ports["grpc"]])
    with subprocess.Popen(command, env=_variables()) as process:
        yield ports, lambda: sum(psutil.Process(process.pid).cpu_times()[:2])
        process.terminate()


@contextmanager
def served(store: Path) -> Iterator[tuple[Mapping[str, int], Cpu]]:
    """`brood serve`: its ports, and the CPU seconds of all its processes."""
    server = Served("--models", str(store), "--model", MODEL, "--threads", "1")
    try:
        yield (
            {"http": server.http_port, "grpc": server.grpc_port},
            lambda: sum(sum(each.cpu_times()[:2]) for each in server.processes()),
        )
    finally:
        server.end()


def pressed(ports: Mapping[str, int], cpu: Cpu, given: argparse.Namespace, quick: Quick) -> dict[str, dict[str, float]]:
    """Clients → protocol → CPU µs a request of a server, less what it takes when nobody asks."""
    found: dict[str, dict[str, list[float]]] = {}
    for scheme in ORDERS:
        eventually(partial(once, ports, scheme, quick), START_S)
    idle = idle_cores(cpu)
    for _ in range(given.rounds):
        for clients in CLIENTS:
            for scheme, port in ports.items():
                began, before = time.monotonic(), cpu()
                target = Target(f"{scheme}://127.0.0.1:{port}")
                plan = Plan(read_orders([ORDERS[scheme]]), given.seconds, warm_up_s=0.3)
                (told,) = measure(target, plan, (Closed(clients, clients),), None, lambda _: None, quick)
                if told.total.errors:
                    raise RuntimeError(f"{scheme}: {told.total.errors} {told.total.examples}")
                used = cpu() - before - idle * (time.monotonic() - began)
                found.setdefault(str(clients), {}).setdefault(scheme, []).append(1e6 * used / told.own.requests)
    return {clients: _medians(each) for clients, each in found.items()}


def once(ports: Mapping[str, int], scheme: str, quick: Quick) -> bool:
    """Whether a request is answered."""
    plan = Plan(read_orders([ORDERS[scheme]]), 0.05)
    (told,) = measure(
        Target(f"{scheme}://127.0.0.1:{ports[scheme]}"), plan, (Closed(1, 1),), None, lambda _: None, quick
    )
    return told.total.right > 0


def idle_cores(cpu: Cpu) -> float:
    """What it takes when nobody asks, in units of one core."""
    began, before = time.monotonic(), cpu()
    time.sleep(2.0)
    return (cpu() - before) / (time.monotonic() - began)


def broken_down(found: Mapping[str, float], scheme: str) -> dict[str, float]:
    """CPU µs of a request by layer; what is measured at each border comes in, what is the layer's goes out."""
    borders = {**found, "engine": sum(found[part] for part in PARTS)}
    told = {part: found[part] for part in PARTS}
    for layer, (upper, lower) in LAYERS.items():
        told[layer] = borders[upper.format(scheme)] - borders[lower.format(scheme)]
    told["data plane, without encoding"] -= found["encode"]
    told["encoding"] = found["encode"]
    told["in all"] = borders[f"{scheme} served"]
    told["(a server that only answers)"] = borders[f"{scheme} floor"]
    return {layer: round(microseconds, 1) for layer, microseconds in told.items()}


def page(words: Mapping[str, Any]) -> Iterator[str]:
    """The table."""
    yield f"# CPU µs of one request of {MODEL}, {words['date'][:10]}, {words['machine']['cores']} cores: `{COMMAND}`"
    yield ""
    columns = [(clients, scheme) for clients in words["layers"] for scheme in ORDERS]
    heads = [f"{scheme}, {clients} client{'s' * (clients != '1')}" for clients, scheme in columns]
    yield f"| | {' | '.join(heads)} |"
    yield "|---" * (1 + len(columns)) + "|"
    for layer in words["layers"]["1"]["http"]:
        yield f"| {layer} | {' | '.join(str(words['layers'][clients][scheme][layer]) for clients, scheme in columns)} |"
    yield ""
    yield f"gRPC of HTTP, CPU of a request in all: {words['grpc_of_http']}."


def _medians(found: Mapping[str, Sequence[float]]) -> dict[str, float]:
    return {name: round(statistics.median(values), 2) for name, values in found.items()}


def _script(name: str, words: Sequence[object]) -> list[str]:
    return [sys.executable, str(HERE / "layers" / f"{name}.py"), *map(str, words)]


def _variables() -> dict[str, str]:
    """Metrics are counted into files, as in service."""
    path = os.pathsep.join([str(HERE.parent), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {**os.environ, "PYTHONPATH": path, "PROMETHEUS_MULTIPROC_DIR": tempfile.mkdtemp(prefix="brood-layers-")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=2000, help="of each drive below the sockets")
    parser.add_argument("--seconds", type=float, default=3.0, help="of each stage over sockets")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=RESULT)
    given = parser.parse_args()
    store = KEPT.parent / "layers-store"
    write_store(store, KEPT / "graphs")
    found = drives(store, given)
    with Quick() as quick:
        for suffix, server in (("floor", floor), ("socket", bare), ("served", served)):
            with server(store) as (ports, cpu):
                for clients, told in pressed(ports, cpu, given, quick).items():
                    found[clients] |= {f"{scheme} {suffix}": microseconds for scheme, microseconds in told.items()}
    layers = {clients: {scheme: broken_down(each, scheme) for scheme in ORDERS} for clients, each in found.items()}
    words = {
        "command": COMMAND,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {"cores": os.cpu_count(), "system": platform.system(), "architecture": platform.machine()},
        "unit": "CPU microseconds a request",
        "borders": found,
        "layers": layers,
        "grpc_of_http": {
            clients: round(each["grpc"]["in all"] / each["http"]["in all"], 2) for clients, each in layers.items()
        },
    }
    given.out.write_text(json.dumps(words, indent=2) + "\n")
    given.out.with_suffix(".md").write_text("\n".join(page(words)) + "\n")
    print("\n".join(page(words)))


if __name__ == "__main__":
    main()
