"""The same request at the border of one layer after another, in this process: CPU µs of each, as JSON.

What a layer costs is the difference to the one below. CPU time is that of the whole process, so that hand-overs between
threads count, and what else the machine does hardly does. Run by `bench_layers.py`.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import uvloop

from bench.bare_calls import generate, message
from bench.layers.setting import MODEL, settings
from brood.dataplane import DataPlane, Limits
from brood.dataplane.statistics import CountingSteps, Statistics
from brood.engine.cost import CostModel
from brood.engine.executor import Executor
from brood.engine.model import EngineModel
from brood.engine.rows import make_job
from brood.engine.scheduler import Scheduler
from brood.frontends.http.app import HttpOptions, build_app
from brood.host.host import Host
from brood.observe.metrics import Metrics
from brood.protocol.events import Failed
from brood.protocol.requests import GenerateRequest, OutputChoice
from brood.serve.hosting import host_options
from brood.store.store import find_bundles
from helpers.engine import engine_model, generation

One = Callable[[int], Awaitable[None]]  # a request of this seed
BODY = json.dumps({"model": MODEL, "n": 1, "seed": 7}).encode()
NUMBERS = count()
BUCKETS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)


def loaded_model(store: Path) -> EngineModel:
    """The model, to be called here."""
    return engine_model(next(ref.directory for ref in find_bundles(store) if ref.name == MODEL), capacity=128)


class Timed:
    """A runtime whose own time is known."""

    def __init__(self, runtime: Any) -> None:
        self._runtime = runtime
        self.capacity, self.state_bytes = runtime.capacity, runtime.state_bytes
        self.write, self.read = runtime.write, runtime.read
        self.seconds = 0.0

    def run(self, *given: Any) -> dict[str, np.ndarray]:
        """As `SlotRuntime.run`."""
        began = time.thread_time()
        found: dict[str, np.ndarray] = self._runtime.run(*given)
        self.seconds += time.thread_time() - began
        return found


def engine(store: Path, rows: int, requests: int) -> dict[str, float]:
    """CPU µs a request of the engine's parts, where ``rows`` requests of one sample share each call."""
    loaded = loaded_model(store)
    names = {stage.graph for program in loaded.programs.values() for stage in program.stages}
    cost = {name: {bucket: 0.001 * (1 + bucket / 64) for bucket in BUCKETS} for name in names}
    runtime = Timed(loaded.runtime)
    model = EngineModel(loaded.name, 1, loaded.programs, runtime, CostModel(cost))
    scheduler, executor = Scheduler(), Executor()
    parts = dict.fromkeys(("engine: job", "engine: plan", "engine: inputs", "engine: commit"), 0.0)
    steps = max(1, requests // rows)
    for _ in range(steps):
        asked = [generation(model, str(next(NUMBERS)), seed=number) for number in range(rows)]
        times = [time.thread_time()]
        for one in asked:
            scheduler.add(make_job(one, model, 0.0))
        times.append(time.thread_time())
        while (plan := scheduler.plan(0.0)) is not None:
            times.append(time.thread_time())
            report = executor.execute(plan)
            times.append(time.thread_time())
            scheduler.commit(plan, report)
            times.append(time.thread_time())
        for name, seconds in zip(parts, np.diff(times), strict=True):
            parts[name] += float(seconds)
    parts["engine: inputs"] -= runtime.seconds
    parts["graph call"] = runtime.seconds
    return {name: 1e6 * seconds / (steps * rows) for name, seconds in parts.items()}


class Layers:
    """A host with a data plane, as `brood.serve` composes them, and requests at each border."""

    def __init__(self, store: Path) -> None:
        metrics, statistics = Metrics(), Statistics()
        self._host = Host(host_options(settings(store, 0, 0)), CountingSteps(statistics, metrics))
        self._plane = DataPlane(self._host, Limits(), metrics, statistics=statistics)
        self._app = build_app(self._plane, HttpOptions(frozenset({"localhost"})))
        self._model = loaded_model(store)
        self._request = GenerateRequest(model=MODEL, output=OutputChoice(format="raw"))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """From load to stop."""
        await self._host.start()
        result = await self._plane.collect(self._request, "own-result")
        self._made = (result.accepted, result.samples[0], self._request.output)
        self._generate = generate(self._plane)
        yield
        await self._host.stop()
        self._plane.close()

    async def host(self, seed: int) -> None:
        """The engine's thread, and events back to the loop."""
        async for event in self._host.submit(self._stock.pop()):
            if isinstance(event, Failed):
                raise event.error

    async def plane(self, seed: int) -> None:
        """Checks, counting, encoding."""
        await self._plane.answer(self._request.model_copy(update={"seed": seed}), f"own-{next(NUMBERS)}", "http")

    async def http(self, seed: int) -> None:
        """The ASGI application, without a socket."""
        body = BODY.replace(b": 7", f": {seed}".encode())
        headers = [(b"host", b"localhost"), (b"content-type", b"application/json"), (b"accept", b"application/x-npy")]
        scope: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
        }
        scope |= {"path": "/v1/generations", "raw_path": b"/v1/generations", "query_string": b"", "root_path": ""}
        scope |= {"headers": [*headers, (b"content-length", str(len(body)).encode())], "client": ("127.0.0.1", 1)}
        gone, sent = asyncio.Event(), [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> Any:
            if sent:
                return sent.pop()
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            if message.get("status", 200) != 200:
                raise RuntimeError(message)

        await self._app({**scope, "server": ("localhost", 80)}, receive, send)

    async def grpc(self, seed: int) -> None:
        """The method's handler of bytes, without a socket."""
        await self._generate(message(MODEL, seed))

    async def encode(self, seed: int) -> None:
        """What of the data plane is the encoding of a raw sample."""
        await self._plane.encode(*self._made)

    def stock(self, requests: int) -> None:
        """Make what `host` is given, which is the data plane's work."""
        self._stock = [generation(self._model, f"own-{next(NUMBERS)}", seed=seed) for seed in range(requests)]


async def timed(one: One, clients: int, requests: int) -> float:
    """CPU µs a request, with so many outstanding."""
    numbers = iter(range(requests))

    async def client() -> None:
        for number in numbers:
            await one(number)

    gc.collect()
    began = time.process_time()
    await asyncio.gather(*[client() for _ in range(clients)])
    return 1e6 * (time.process_time() - began) / requests


async def measured(store: Path, requests: int, rounds: int) -> dict[str, dict[str, float]]:
    """Clients → border → CPU µs a request, medians of rounds."""
    layers = Layers(store)
    borders: dict[str, One] = {name: getattr(layers, name) for name in ("host", "encode", "plane", "http", "grpc")}
    found: dict[str, dict[str, list[float]]] = {}
    async with layers.running():
        for clients in (1, 32):
            for one in borders.values():
                layers.stock(requests)
                await timed(one, clients, max(1, requests // 10))
        for _ in range(rounds):
            for clients in (1, 32):
                told = engine(store, clients, requests)
                layers.stock(requests)
                told |= {name: await timed(one, clients, requests) for name, one in borders.items()}
                for name, microseconds in told.items():
                    found.setdefault(str(clients), {}).setdefault(name, []).append(microseconds)
    return {
        clients: {name: round(statistics.median(values), 2) for name, values in each.items()}
        for clients, each in found.items()
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--requests", type=int, required=True)
    parser.add_argument("--rounds", type=int, required=True)
    given = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps(runner.run(measured(given.store, given.requests, given.rounds))))
