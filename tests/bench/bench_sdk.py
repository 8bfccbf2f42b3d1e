"""The Python SDK over HTTP and over gRPC, as people call it: writes results/sdk.json and .md.

The same calls of the same client, of one server, over one protocol and the other in turn: milliseconds until the
samples are there, and processor time of both ends together. `brood bench` and bench_layers.py tell of the server alone.

    PYTHONPATH=tests python tests/bench/bench_sdk.py [--seconds 2] [--rounds 6]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1]))

from brood_client import AsyncClient, Client
from helpers.served import Served

RESULT = Path(__file__).parent / "results" / "sdk.json"
COMMAND = "PYTHONPATH=tests python tests/bench/bench_sdk.py"
MODEL = "glyphs-gan"  # 28×28
SCHEMES = ("http", "grpc")
TRIAL_S = 0.3


class Way(NamedTuple):
    """How the server is asked."""

    name: str
    n: int  # samples a request
    callers: int = 0  # tasks of one AsyncClient; 0: one Client


WAYS = (
    Way("one caller, 1 sample", 1),
    Way("one caller, 16 samples", 16),
    Way("one caller, 256 samples", 256),
    Way("32 tasks, 1 sample", 1, 32),
    Way("32 tasks, 16 samples", 16, 32),
)


class Found(NamedTuple):
    """One round."""

    milliseconds: list[float]
    cpu_s: float  # of both ends


def asked(client: Client, way: Way, seconds: float) -> list[float]:
    """Milliseconds of one call after another."""
    taken, stop = list[float](), time.perf_counter() + seconds
    while (began := time.perf_counter()) < stop:
        made = client.generate(MODEL, n=way.n)
        taken.append(1e3 * (time.perf_counter() - began))
        if len(made.samples) != way.n:
            raise RuntimeError(f"{len(made.samples)} samples for {way.n}")
    return taken


async def asked_by_many(client: AsyncClient, way: Way, seconds: float) -> list[float]:
    """The same of so many tasks."""
    taken, stop = list[float](), time.perf_counter() + seconds

    async def task() -> None:
        while (began := time.perf_counter()) < stop:
            made = await client.generate(MODEL, n=way.n)
            taken.append(1e3 * (time.perf_counter() - began))
            if len(made.samples) != way.n:
                raise RuntimeError(f"{len(made.samples)} samples for {way.n}")

    await asyncio.gather(*[task() for _ in range(way.callers)])
    return taken


async def measured(server: Served, seconds: float, rounds: int) -> dict[str, dict[str, list[Found]]]:
    """Way → scheme → rounds."""
    ports = {"http": server.http_port, "grpc": server.grpc_port}
    found: dict[str, dict[str, list[Found]]] = {}

    def cpu() -> float:
        return time.process_time() + sum(sum(each.cpu_times()[:2]) for each in server.processes())

    async with AsyncExitStack() as stack:
        one, many = dict[str, Client](), dict[str, AsyncClient]()
        for scheme in SCHEMES:
            url = f"{scheme}://127.0.0.1:{ports[scheme]}"
            one[scheme] = stack.enter_context(Client(url))
            many[scheme] = await stack.enter_async_context(AsyncClient(url))
        for number in range(rounds):
            for way in WAYS:
                for scheme in SCHEMES[:: 1 if number % 2 else -1]:

                    async def ask(seconds: float, way: Way = way, scheme: str = scheme) -> list[float]:
                        if way.callers:
                            return await asked_by_many(many[scheme], way, seconds)
                        return asked(one[scheme], way, seconds)

                    await ask(TRIAL_S)
                    before = cpu()
                    taken = await ask(seconds)
                    found.setdefault(way.name, {}).setdefault(scheme, []).append(Found(taken, cpu() - before))
    return found


def told(found: dict[str, list[Found]], statistic: Callable[[Found], float]) -> dict[str, float]:
    """Medians of rounds, and the median of gRPC's ratio to HTTP within a round."""
    values = {scheme: [statistic(each) for each in rounds] for scheme, rounds in found.items()}
    pairs = [grpc / http for grpc, http in zip(values["grpc"], values["http"], strict=True)]
    medians = {scheme: statistics.median(each) for scheme, each in values.items()}
    return {name: round(value, 3) for name, value in {**medians, "ratio": statistics.median(pairs)}.items()}


def page(words: dict[str, Any]) -> Iterator[str]:
    """The table."""
    yield f"# The SDK over HTTP and gRPC, {words['date'][:10]}, {words['machine']['cores']} cores: `{COMMAND}`"
    yield ""
    yield "| | p50 ms, HTTP | gRPC | ratio | p95 ms, HTTP | gRPC | ratio | CPU ms of both ends, HTTP | gRPC | ratio |"
    yield "|---" * 10 + "|"
    for way, each in words["ways"].items():
        cells = [f"{each[part][name]:.3g}" for part in ("p50_ms", "p95_ms", "cpu_ms") for name in (*SCHEMES, "ratio")]
        yield f"| {way} | {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each way, protocol and round")
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--out", type=Path, default=RESULT)
    given = parser.parse_args()
    server = Served("--model", MODEL, "--threads", "1")
    try:
        found = asyncio.run(measured(server, given.seconds, given.rounds))
    finally:
        server.end()
    words = {
        "command": COMMAND,
        "date": datetime.now(UTC).isoformat(timespec="minutes"),
        "machine": {"cores": len(os.sched_getaffinity(0)), "system": platform.system()},
        "ways": {
            way: {
                "p50_ms": told(each, lambda one: statistics.median(one.milliseconds)),
                "p95_ms": told(each, lambda one: statistics.quantiles(one.milliseconds, n=20)[-1]),
                "cpu_ms": told(each, lambda one: 1e3 * one.cpu_s / len(one.milliseconds)),
            }
            for way, each in found.items()
        },
    }
    given.out.write_text(json.dumps(words, indent=2) + "\n")
    given.out.with_suffix(".md").write_text("\n".join(page(words)) + "\n")
    print(given.out.with_suffix(".md").read_text())


if __name__ == "__main__":
    main()
