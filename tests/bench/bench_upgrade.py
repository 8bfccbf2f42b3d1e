"""Upgrades under load: writes results/upgrade.json. About five minutes.

A real Ray cluster of two nodes on this machine, changed as `serve deploy` changes it, and its model store, while
requests arrive open loop (Poisson) through the SDK as it is by default, over HTTP and gRPC, as whole answers and as
streams, by way of a load balancer that sends new connections to nodes whose /readyz says so. In turn, with the split
topology: other settings; another release under the same settings (both times all workers and both ingresses
are replaced); a new version of the model that is loaded and an old one that is unloaded. Then, with the colocated one,
whose only replica hands its ports over: other settings. Each answer is held, byte by byte, against what the reference
in this process gives for the version that it names.
Run it from the root of the project: PYTHONPATH=tests python tests/bench/bench_upgrade.py [RATE]
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import platform
import secrets
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import httpx2
import numpy as np

import brood
from bench.bench_chaos import Retries, digest
from brood.serve.render import render
from brood.settings import Settings
from brood_client import AsyncClient, BroodError
from helpers.bundles import steps_bundle
from helpers.cluster import Cluster
from helpers.proxy import Line, laid
from helpers.served import free_port

RESULT = Path(__file__).parent / "results" / "upgrade.json"
MODEL, N, STEPS, SEEDS = "steps", 8, 200, 8
BEFORE_S, AFTER_S, LOOK_S, PATIENCE_S = 5.0, 5.0, 0.5, 300.0
SPLIT: dict[str, Any] = {"topology": "split", "ingresses": 2, "generators": [{"name": "workers", "replicas": 2}]}
COLOCATED: dict[str, Any] = {"topology": "colocated", "ingresses": 1}
# What the second version computes in a step: x' = 0.25·x + u + 0.1·T_k, where the first has 0.5·x.
OTHER = [{"times": 0.25, "of": ["x"]}, {"of": ["noise"]}, {"times": 0.1, "of": ["temperature"]}]
SECOND = {
    "x": {"sum": OTHER},
    "count": {"sum": [{"of": ["count"]}, {"times": 1.0}]},
    "ok": {"finite": "x"},
}


@dataclass
class Tally:
    """What came of the requests."""

    sent: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    versions: Counter[int] = field(default_factory=Counter)
    differing: int = 0
    retried: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    milliseconds: list[float] = field(default_factory=list)


@dataclass
class Site:
    """What runs, and where."""

    cluster: Cluster
    nodes: tuple[str, str]
    words: dict[str, Any]  # settings
    expected: dict[tuple[int, int], str]  # (version, seed) → digest

    def there(self) -> tuple[str, ...]:
        """Nodes that have ports."""
        return self.nodes[: self.words["ingresses"]]

    async def ready(self, node: str) -> bool:
        """Whether a node says so."""
        try:
            async with httpx2.AsyncClient(timeout=2) as http:
                return (await http.get(f"http://{node}:{self.words['http_port']}/readyz")).status_code == 200
        except httpx2.TransportError:
            return False

    async def deploy(self, mark: str = "", **words: Any) -> None:
        """Have Serve change to these settings; returns before it has."""
        self.words |= words
        await asyncio.to_thread(self.cluster.ask, "deploy", render(Settings(**self.words), mark))

    async def processes(self) -> set[int]:
        """Ids of all that a request meets."""
        names = ("generator", "ingress")
        return {each.pid for name in names for each in await asyncio.to_thread(self.cluster.replicas, name)}

    async def settled(self) -> bool:
        """Whether Serve has come to what it was told, and all that has ports is ready."""
        status = await asyncio.to_thread(self.cluster.ask, "status")
        if status.get("brood", {}).get("status") != "RUNNING":
            return False
        return all([await self.ready(node) for node in self.there()])


class Balancer(Line):
    """Gives each new connection to the next node that is ready, or, if it can be reached, to another.

    Args:
        site: the nodes.
        port: theirs.
    """

    def __init__(self, site: Site, port: int) -> None:
        super().__init__(f"{site.nodes[0]}:{port}")
        self._site, self._to, self._turn = site, port, 0
        self._ready: list[str] = []

    async def watch(self) -> None:
        """Ask nodes whether they are ready, again and again."""
        while True:
            self._ready = [node for node in self._site.there() if await self._site.ready(node)]
            await asyncio.sleep(LOOK_S)

    async def connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """See `Line.connected`."""
        self._turn += 1
        nodes = self._ready or list(self._site.there())
        for node in nodes[self._turn % len(nodes) :] + nodes[: self._turn % len(nodes)]:
            with suppress(OSError):
                return await asyncio.open_connection(node, self._to)
        raise ConnectionRefusedError


async def eventually(look: Callable[[], Awaitable[bool]]) -> None:
    """Wait until it is so."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            if await look():
                return
            await asyncio.sleep(0.5)


async def one(site: Site, client: AsyncClient, number: int, tally: Tally) -> None:
    """One request."""
    seed, began = number % SEEDS, time.monotonic()
    words: dict[str, Any] = {"n": N, "seed": seed, "params": {"steps": STEPS}}
    try:
        if number % 3:
            made = await client.generate(MODEL, **words)
        else:
            async with client.stream(MODEL, **words) as events:
                made = await events.result()
    except BroodError as error:
        tally.outcomes[error.code] += 1
        tally.errors.append(repr(error))
        return
    tally.outcomes["succeeded"] += 1
    tally.versions[made.version] += 1
    tally.milliseconds.append(1e3 * (time.monotonic() - began))
    tally.differing += digest(made.samples) != site.expected[made.version, seed]


@asynccontextmanager
async def callers(site: Site) -> AsyncIterator[Sequence[AsyncClient]]:
    """One client over HTTP, one over gRPC, as they are by default."""
    async with AsyncExitStack() as stack:
        found = []
        for kind in ("http", "grpc"):
            balancer = await stack.enter_async_context(laid(Balancer(site, site.words[f"{kind}_port"])))
            watching = asyncio.create_task(balancer.watch())
            stack.callback(watching.cancel)
            found.append(await stack.enter_async_context(AsyncClient(f"{kind}://127.0.0.1:{balancer.port}")))
        yield found


@asynccontextmanager
async def pressure(site: Site, rate: float) -> AsyncIterator[Tally]:
    """Requests come as long as this lasts."""
    tally, running, rng = Tally(), set[asyncio.Task[None]](), np.random.default_rng(0)
    kept = Retries(tally.retried)
    log = logging.getLogger("brood_client")

    async def load(clients: Sequence[AsyncClient]) -> None:
        due = time.monotonic()
        while True:
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            task = asyncio.create_task(one(site, clients[tally.sent % len(clients)], tally.sent, tally))
            tally.sent += 1
            running.add(task)
            task.add_done_callback(running.discard)
            due += rng.exponential(1 / rate)

    log.addHandler(kept)
    async with callers(site) as clients:
        loading = asyncio.create_task(load(clients))
        await asyncio.sleep(BEFORE_S)
        yield tally
        await asyncio.sleep(AFTER_S)
        loading.cancel()
        await asyncio.gather(*running)
    log.removeHandler(kept)


async def replaced(site: Site, mark: str = "", **words: Any) -> None:
    """Change, and wait until no process is what it was."""
    before = await site.processes()
    await site.deploy(mark, **words)

    async def done() -> bool:
        return not await site.processes() & before and await site.settled()

    await eventually(done)


async def new_version(site: Site) -> None:
    """A second version comes into the store and is loaded; the first is unloaded. As `brood models` does it."""
    steps_bundle(Path(site.words["models"]), version=2, outputs=SECOND)
    async with AsyncClient(f"http://{site.nodes[0]}:{site.words['http_port']}", retries=0) as client:
        await client.load_model(MODEL)
        await asyncio.sleep(AFTER_S)
        await client.unload_model(MODEL, 1)


async def upgrade(site: Site, rate: float, change: Callable[[], Awaitable[None]]) -> dict[str, Any]:
    """One change under load, and what came of it."""
    async with pressure(site, rate) as tally:
        began = time.monotonic()
        await change()
        took_s = time.monotonic() - began
    p50, p99 = np.percentile(tally.milliseconds, (50, 99))
    found = {
        "took_s": round(took_s, 1),
        "sent": tally.sent,
        "succeeded": tally.outcomes["succeeded"],
        "retried_by_the_sdk": len(tally.retried),
        "failed": {code: count for code, count in tally.outcomes.items() if code != "succeeded"},
        "bytes_differ": tally.differing,
        "by_version": {str(version): count for version, count in sorted(tally.versions.items())},
        "latency_ms": {"p50": round(float(p50), 1), "p99": round(float(p99), 1), "max": round(max(tally.milliseconds))},
    }
    print(json.dumps(found), *tally.errors[:3], *tally.retried[:3], sep="\n", flush=True)
    return found


async def all_upgrades(site: Site, rate: float) -> dict[str, Any]:
    """Every kind."""
    found = {}
    await site.deploy(**SPLIT)
    await eventually(site.settled)
    found["split, other settings"] = await upgrade(site, rate, lambda: replaced(site, max_wait_ms=1))
    found["split, another release"] = await upgrade(site, rate, lambda: replaced(site, "another"))
    found["split, a new version of the model"] = await upgrade(site, rate, lambda: new_version(site))
    await asyncio.to_thread(site.cluster.ask, "delete")
    site.words.pop("generators")
    await site.deploy(**COLOCATED, host=site.nodes[0], ingress_resources={f"node:{site.nodes[0]}": 0.001})
    await eventually(site.settled)
    found["colocated, other settings"] = await upgrade(site, rate, lambda: replaced(site, max_wait_ms=2))
    return found


def expected(room: Path) -> dict[tuple[int, int], str]:
    """What each version gives, from bundles of their own."""
    steps_bundle(room)
    steps_bundle(room, version=2, outputs=SECOND)
    found = {}
    for version in (1, 2):
        with brood.load(str(room / MODEL / str(version))) as model:
            for seed in range(SEEDS):
                found[version, seed] = digest(model.run("generate", n=N, seed=seed, steps=STEPS).samples)
    assert len(set(found.values())) == len(found)
    return found


def main() -> None:
    rate = float(sys.argv[1]) if len(sys.argv) > 1 else 6.0
    logging.getLogger("brood_client").setLevel(logging.INFO)
    net = f"127.{secrets.randbelow(200) + 20}.{secrets.randbelow(250)}"
    nodes = (f"{net}.1", f"{net}.2")
    ports = {name: free_port(nodes[0]) for name in ("http_port", "grpc_port", "metrics_port")}
    with tempfile.TemporaryDirectory() as room, Cluster(*nodes) as cluster:
        store = Path(room, "store")
        steps_bundle(store)
        words = {"models": store, "host": "node", "insecure": True, "admin": True, "threads": 1, **ports}
        site = Site(cluster, nodes, words, expected(Path(room, "reference")))
        found = asyncio.run(all_upgrades(site, rate))
    result = {
        "command": f"PYTHONPATH=tests python tests/bench/bench_upgrade.py {rate:g}",
        "machine": {"cores": os.cpu_count(), "system": platform.system(), "architecture": platform.machine()},
        "request": f"{MODEL}, n={N}, {STEPS} steps",
        "requests_per_s": rate,
        "upgrades": found,
    }
    RESULT.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
