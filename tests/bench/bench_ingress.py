"""Ways for a request into a Serve replica, side by side: writes results/ingress.json.

Run it from the root of the project: python tests/bench/bench_ingress.py [MODE …]

Every server runs all the time; they are measured in turn, round after round, with 32 calls in flight from a client on
the same machine. A call does nothing, so only the way is measured. CPU time is that of all processes of a mode (without
the client), over the calls of the measured time.
"""

from __future__ import annotations

import asyncio
import json
import os
import platform
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import grpc
import psutil
import uvloop

from brood.protocol.wire.generator_pb2 import ListModelsRequest, ListModelsResponse

HERE = Path(__file__).parent
RESULT = HERE / "results" / "ingress.json"
COMMAND = "python tests/bench/bench_ingress.py"
MODES = ("bare", "own", "own-thread", "direct", "haproxy", "proxy")
IN_FLIGHT = 32
ROUNDS = 3
WARM_UP_S = 0.5
MEASURED_S = 2.0
REQUEST = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


class Mode:
    """One way, served by processes of its own.

    Args:
        name: of `MODES`.
        store: of models that are served; None: a call does nothing.
    """

    def __init__(self, name: str, store: Path | None = None) -> None:
        self.name = name
        command = [sys.executable, str(HERE / "ingress_modes.py"), name, str(free_port()), str(free_port())]
        command += [] if store is None else [str(store)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        word, http, rpc = self._process.stdout.readline().split()
        assert word == "ready"
        self.http_port, self.grpc_port = int(http), int(rpc)

    def cpu_s(self) -> dict[int, float]:
        """Processor seconds that each of its processes has used so far."""
        own = psutil.Process(self._process.pid)
        found = {}
        for process in (own, *own.children(recursive=True)):
            times = process.cpu_times()
            found[process.pid] = times.user + times.system
        return found

    def close(self) -> None:
        self._process.communicate(timeout=60)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


async def call_http(port: int, until: float) -> int:
    """Calls on one connection until a moment; how many."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    calls = 0
    while time.perf_counter() < until:
        writer.write(REQUEST)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        await reader.readexactly(int(length.partition(b":")[2]))
        calls += 1
    writer.close()
    return calls


async def call_grpc(method: Callable[[ListModelsRequest], Awaitable[object]], until: float) -> int:
    calls = 0
    while time.perf_counter() < until:
        await method(ListModelsRequest())
        calls += 1
    return calls


async def load_http(mode: Mode, seconds: float) -> int:
    until = time.perf_counter() + seconds
    return sum(await asyncio.gather(*(call_http(mode.http_port, until) for _ in range(IN_FLIGHT))))


async def load_grpc(mode: Mode, seconds: float) -> int:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{mode.grpc_port}") as channel:
        method = channel.unary_unary(
            "/brood.v1.Generator/ListModels", ListModelsRequest.SerializeToString, ListModelsResponse.FromString
        )
        until = time.perf_counter() + seconds
        return sum(await asyncio.gather(*(call_grpc(method, until) for _ in range(IN_FLIGHT))))


Load = Callable[[Mode, float], Coroutine[Any, Any, int]]
LOADS: dict[str, Load] = {"http": load_http, "grpc": load_grpc}


def measure(mode: Mode, load: Load) -> tuple[float, float]:
    """Calls a second, and CPU microseconds of a call."""
    uvloop.run(load(mode, WARM_UP_S))
    before, began = mode.cpu_s(), time.perf_counter()
    calls = uvloop.run(load(mode, MEASURED_S))
    seconds = time.perf_counter() - began
    spent = sum(total - before.get(pid, 0.0) for pid, total in mode.cpu_s().items())
    return calls / seconds, spent / calls * 1e6


def main(names: tuple[str, ...]) -> None:
    figures: dict[str, dict[str, list[tuple[float, float]]]] = {name: {kind: [] for kind in LOADS} for name in names}
    with ExitStack() as open_modes:
        modes = []
        for name in names:
            modes.append(Mode(name))
            open_modes.callback(modes[-1].close)
            print(f"{name} serves", flush=True)
        for number in range(ROUNDS):
            for mode in modes:
                for kind, load in LOADS.items():
                    figures[mode.name][kind].append(measure(mode, load))
            print(f"round {number + 1} of {ROUNDS}", flush=True)
    table = {name: {kind: summary(found) for kind, found in kinds.items()} for name, kinds in figures.items()}
    for name, kinds in table.items():
        print(
            f"{name:10}",
            *(f"{kind}: {found['calls_per_s']:>8} /s {found['cpu_us']:>6} µs" for kind, found in kinds.items()),
        )
    RESULT.write_text(json.dumps(head() | {"modes": table}, indent=2) + "\n")


def summary(found: list[tuple[float, float]]) -> dict[str, Any]:
    rates = [rate for rate, _ in found]
    return {
        "calls_per_s": round(statistics.median(rates)),
        "calls_per_s_range": [round(min(rates)), round(max(rates))],
        "cpu_us": round(statistics.median(cpu for _, cpu in found)),
    }


def head() -> dict[str, Any]:
    import ray

    return {
        "command": COMMAND,
        "what": "a call that does nothing, 32 in flight; medians over rounds, modes measured in turn",
        "machine": {"cores": os.cpu_count(), "system": platform.system(), "architecture": platform.machine()},
        "python": platform.python_version(),
        "ray": ray.__version__,
        "rounds": ROUNDS,
        "measured_s": MEASURED_S,
    }


if __name__ == "__main__":
    main(tuple(sys.argv[1:]) or MODES)
