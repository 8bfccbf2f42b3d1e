"""Ten minutes of mixed load while workers are killed: writes results/chaos.json.

A split server with two workers and one ingress. Requests arrive open loop (Poisson) through the SDK, over HTTP and
gRPC, as whole answers and as streams, for four models; every half minute one worker gets SIGKILL. Each sample is held,
byte by byte, against what the reference of this machine gives for the same request: the model in this process
(`brood.load`), before the load begins.
Run it from the root of the project: PYTHONPATH=tests python tests/bench/bench_chaos.py [SECONDS [RATE]]
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import os
import platform
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import psutil

import brood
from brood_client import AsyncClient, BroodError, Sample
from brood_client import Generation as Made
from helpers.served import Served

RESULT = Path(__file__).parent / "results" / "chaos.json"
WORKERS, KILL_EVERY_S, SEEDS = 2, 30.0, 5
KINDS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("glyphs-gan", {"n": 16, "params": {}}),
    ("glyphs-vae", {"n": 8, "params": {"label": 3}}),
    ("points-diffusion", {"n": 64, "params": {"steps": 100}}),
    ("glyphs-diffusion", {"n": 4, "params": {"steps": 20}}),
)
GENERATORS = [{"name": "workers", "replicas": WORKERS}]
COUNTS = ("brood_lost_workers_total", "brood_resubmitted_samples_total", "brood_duplicate_samples_total")


@dataclass
class Tally:
    """What came of the requests."""

    sent: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    differing: int = 0
    duplicates: int = 0  # samples that a stream gave twice
    milliseconds: list[float] = field(default_factory=list)
    kills: list[float] = field(default_factory=list)  # seconds from the beginning
    retried: list[str] = field(default_factory=list)  # what the SDK says when it tries again
    errors: list[str] = field(default_factory=list)


class Retries(logging.Handler):
    """Keeps what the SDK logs: one record each time that it tries again."""

    def __init__(self, kept: list[str]) -> None:
        super().__init__(logging.INFO)
        self._kept = kept

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it."""
        self._kept.append(record.getMessage())


def digest(samples: Iterable[Any]) -> str:
    """One word for all bytes of some samples."""
    found = hashlib.sha256()
    for sample in sorted(samples, key=lambda sample: int(sample.index)):
        for name, value in sorted(sample.outputs.items()):
            array = np.asarray(value)
            content = array.tobytes() if array.shape else repr(array.item()).encode()  # a number may come as one
            found.update(f"{sample.index} {name} {array.shape}".encode() + content)
    return found.hexdigest()


def meant() -> dict[tuple[str, int], str]:
    """What each request should give."""
    found = {}
    for name, words in KINDS:
        with brood.load(name) as model:
            for seed in range(SEEDS):
                result = model.run("generate", n=words["n"], seed=seed, **words["params"])
                found[name, seed] = digest(result.samples)
    return found


async def one(client: AsyncClient, number: int, expected: dict[tuple[str, int], str], tally: Tally) -> None:
    """One request, from when it was due."""
    began = time.monotonic()
    name, words = KINDS[number % len(KINDS)]
    seed = number // len(KINDS) % SEEDS
    try:
        made = await (_streamed if number % 3 else _whole)(client, name, {**words, "seed": seed}, tally)
    except BroodError as error:
        tally.outcomes[error.code] += 1
        tally.errors.append(repr(error))
        return
    tally.outcomes["succeeded"] += 1
    tally.milliseconds.append(1e3 * (time.monotonic() - began))
    tally.differing += digest(made.samples) != expected[name, seed]


async def _whole(client: AsyncClient, name: str, words: dict[str, Any], tally: Tally) -> Made:
    return await client.generate(name, **words)


async def _streamed(client: AsyncClient, name: str, words: dict[str, Any], tally: Tally) -> Made:
    seen: Counter[int] = Counter()
    async with client.stream(name, **words) as events:
        async for event in events:
            if isinstance(event, Sample):
                seen[event.index] += 1
        tally.duplicates += sum(seen.values()) - len(seen)
        return await events.result()


async def load(served: Served, seconds: float, rate: float, expected: dict[tuple[str, int], str]) -> Tally:
    """All requests, and all kills."""
    tally, rng, running = Tally(), np.random.default_rng(0), set[asyncio.Task[None]]()
    log = logging.getLogger("brood_client")
    log.setLevel(logging.INFO)
    log.addHandler(Retries(tally.retried))
    async with (
        AsyncClient(f"http://127.0.0.1:{served.http_port}", retries=8) as http,
        AsyncClient(f"grpc://127.0.0.1:{served.grpc_port}", retries=8) as rpc,
    ):
        began = due = time.monotonic()
        killer = asyncio.create_task(_kill(served, seconds, tally))
        while due < began + seconds:
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            tally.sent += 1
            task = asyncio.create_task(one((http, rpc)[tally.sent % 2], tally.sent, expected, tally))
            running.add(task)
            task.add_done_callback(running.discard)
            due += rng.exponential(1 / rate)
        await asyncio.gather(*running)
        await killer
    return tally


async def _kill(served: Served, seconds: float, tally: Tally) -> None:
    began, chance = time.monotonic(), random.Random(0)
    while True:
        await asyncio.sleep(KILL_EVERY_S)
        if time.monotonic() - began > seconds - 5:
            return
        there = [p for p in served.processes() if "ServeReplica:brood:generator" in _command(p)]
        if there:
            chance.choice(there).kill()
            tally.kills.append(round(time.monotonic() - began, 1))


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def counted(served: Served) -> dict[str, float]:
    """What the ingress has counted."""
    text = httpx2.get(f"http://127.0.0.1:{served.metrics_port}/metrics").text
    lines = [line.split() for line in text.splitlines() if line.startswith(COUNTS)]
    found: dict[str, float] = {}
    for name, value in lines:
        key = name.partition("{")[0]
        found[key] = found.get(key, 0.0) + float(value)
    return found


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 600.0
    rate = float(sys.argv[2]) if len(sys.argv) > 2 else 6.0
    expected = meant()
    with tempfile.TemporaryDirectory() as room:
        file = Path(room) / "brood.toml"
        names = [name for name, _ in KINDS]
        file.write_text(f'topology = "split"\nthreads = 1\nnames = {json.dumps(names)}\n')
        served = Served("--config", str(file), "--generators", json.dumps(GENERATORS))
        try:
            tally = asyncio.run(load(served, seconds, rate, expected))
            counts = counted(served)
        finally:
            served.end()
    p50, p99 = np.percentile(tally.milliseconds, (50, 99))
    result = {
        "command": f"PYTHONPATH=tests python tests/bench/bench_chaos.py {seconds:g} {rate:g}",
        "machine": {"cores": os.cpu_count(), "system": platform.system(), "architecture": platform.machine()},
        "seconds": seconds,
        "sent": tally.sent,
        "succeeded": tally.outcomes["succeeded"],
        "retried_by_the_sdk": len(tally.retried),
        "failed": {code: count for code, count in tally.outcomes.items() if code != "succeeded"},
        "bytes_differ": tally.differing,
        "duplicates_in_streams": tally.duplicates,
        "kills_at_s": tally.kills,
        "ingress": counts,
        "latency_ms": {"p50": round(float(p50), 1), "p99": round(float(p99), 1), "max": round(max(tally.milliseconds))},
    }
    RESULT.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))
    for error in [*tally.errors[:5], *tally.retried[:5]]:
        print(error)


if __name__ == "__main__":
    main()
