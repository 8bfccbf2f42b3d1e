"""What counting costs: samples a second with it and without, in turns within one process. Writes results/metrics.json.

Run it from the root of the project, about two minutes: PYTHONPATH=tests python tests/bench/bench_metrics.py

There are no sockets and no HTTP, so that a request costs as little as it can, and counting weighs as much as it can.
"""

from __future__ import annotations

import asyncio
import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from helpers.quiet import Quiet

RESULT = Path(__file__).parent / "results" / "metrics.json"
COMMAND = "PYTHONPATH=tests python tests/bench/bench_metrics.py"
CALLERS = 32
PAIRS, TURN_S, WARM_S = 40, 0.75, 3.0
CALLS = 20_000
LOADS = {  # n samples a request
    "one sample a request, one call (glyphs-gan)": ("glyphs-gan", 1, {}),
    "16 samples a request, one call (glyphs-gan)": ("glyphs-gan", 16, {}),
    "one sample a request, 4 steps (glyphs-diffusion)": ("glyphs-diffusion", 1, {"steps": 4}),
}


class Off(Quiet):
    """Observes nothing."""

    def finished(self, model: str, operation: str, protocol: str, code: str, seconds: float, rows: int) -> None:
        """A request ended."""

    def rejected(self, model: str, operation: str, protocol: str, reason: str) -> None:
        """A request was refused."""

    def timed(self, model: str, operation: str, part: str, seconds: float) -> None:
        """A part of a request took so long."""


class Switch(Off):
    """An observer that becomes another one while requests run, at no cost for a call."""

    def become(self, other: Any) -> None:
        """From now on the other one is told."""
        for name in ("finished", "rejected", "timed", "stepped", "queued", "wasted"):
            setattr(self, name, getattr(other, name))


def microseconds(work: Callable[[], None]) -> float:
    """Processor time of one call, the best of five rounds."""
    rounds = []
    for _ in range(5):
        begin = time.process_time()
        for _ in range(CALLS):
            work()
        rounds.append((time.process_time() - begin) / CALLS)
    return round(min(rounds) * 1e6, 2)


def alone(metrics: Any) -> dict[str, float]:
    """Microseconds to count a request, and a graph call."""

    def request() -> None:
        for part in ("first_sample", "queue", "run", "encode"):
            metrics.timed("vae", "generate", part, 0.01)
        metrics.finished("vae", "generate", "http", "ok", 0.02, 1)

    def step() -> None:
        metrics.stepped("vae", "decode", 7, 8, 0.002, 0.1)
        metrics.queued(3, 0.1)

    return {"request_us": microseconds(request), "graph_call_us": microseconds(step)}


async def under_load(metrics: Any, model: str, n: int, params: dict[str, Any]) -> dict[str, float]:
    """Samples a second, and processor time of a sample, with counting in parts of those without."""
    from brood.dataplane import DataPlane, Limits
    from brood.host.host import Host, HostOptions
    from brood.protocol.requests import GenerateRequest
    from brood.settings import default_cache_dir
    from brood.store.wanted import wanted

    off, switch = Off(), Switch()
    host = Host(HostOptions(wanted=wanted({}, [model]), cache_dir=default_cache_dir()), switch)
    await host.start()
    plane = DataPlane(host, Limits(), switch)
    made, running = 0, True

    async def caller(number: int) -> None:
        nonlocal made
        while running:
            request = GenerateRequest(model=model, n=n, seed=number, params=params)
            async for _ in plane.generate(request, f"r{number}"):
                pass
            made += n

    async def turn(observer: Any) -> tuple[float, float]:
        """Samples a second of wall time, and of processor time."""
        switch.become(observer)
        before, wall, cpu = made, time.perf_counter(), time.process_time()
        await asyncio.sleep(TURN_S)
        done = made - before
        return done / (time.perf_counter() - wall), done / (time.process_time() - cpu)

    crowd = [asyncio.create_task(caller(number)) for number in range(CALLERS)]
    await asyncio.sleep(WARM_S)
    pairs = []
    for number in range(PAIRS):
        order = (metrics, off) if number % 2 else (off, metrics)
        found = {id(observer): await turn(observer) for observer in order}
        pairs.append((found[id(metrics)], found[id(off)]))
    running = False
    await asyncio.gather(*crowd)
    await host.stop()
    plane.close()
    return told(pairs)


def told(pairs: list[tuple[tuple[float, float], tuple[float, float]]]) -> dict[str, float]:
    """Medians over all pairs, and how sure that of the throughput is (standard error of a median of normal values)."""
    wall = [counted[0] / bare[0] for counted, bare in pairs]
    cpu = [counted[1] / bare[1] for counted, bare in pairs]
    quarters = statistics.quantiles(wall, n=4)
    return {
        "samples_s_without": round(statistics.median(bare[0] for _, bare in pairs), 1),
        "samples_s_with": round(statistics.median(counted[0] for counted, _ in pairs), 1),
        "throughput_ratio": round(statistics.median(wall), 4),
        "throughput_ratio_error": round(1.2533 * (quarters[2] - quarters[0]) / 1.349 / len(pairs) ** 0.5, 4),
        "samples_a_processor_second_ratio": round(statistics.median(cpu), 4),
    }


def main() -> None:
    """Into files of a directory, as in service."""
    with tempfile.TemporaryDirectory() as directory:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = directory
        from brood.observe.metrics import Metrics

        metrics = Metrics()
        result = {
            "command": COMMAND,
            "machine": {"cores": os.cpu_count(), "system": platform.system(), "architecture": platform.machine()},
            "callers": CALLERS,
            "counting": alone(metrics),
            "under_load": {name: asyncio.run(under_load(metrics, *load)) for name, load in LOADS.items()},
        }
    RESULT.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
