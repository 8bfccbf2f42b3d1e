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
from contextlib import closing
from pathlib import Path
from typing import Any

from helpers.quiet import Quiet

RESULT = Path(__file__).parent / "results" / "metrics.json"
COMMAND = "PYTHONPATH=tests python tests/bench/bench_metrics.py"
CALLERS = 32
PAIRS, TURN_S, WARM_S = 24, 1.25, 3.0
CALLS = 20_000
Pair = tuple[tuple[float, float], tuple[float, float]]  # with counting, without
LOADS: dict[str, tuple[str, int, dict[str, Any]]] = {  # n samples a request
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
        metrics.stepped("vae", "decode", 7, 8, 1, 0.002, 0.1)
        metrics.queued(3, 0.1)

    def write() -> None:
        request()
        step()
        metrics.write()

    counting = {"request_us": microseconds(request), "graph_call_us": microseconds(step)}
    return {**counting, "request_call_and_write_us": microseconds(write)}


async def under_load(metrics: Any, model: str, n: int, params: dict[str, Any]) -> list[Pair]:
    """Samples a second of wall time and of processor time, with counting and without, turn by turn."""
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
    return pairs


def told(pairs: list[Pair], n: int, calls: int, counting: dict[str, float]) -> dict[str, float]:
    """Medians over all pairs, and how sure that of the throughput is (standard error of a median of normal values).

    Beside what was measured under load: what counting takes alone, as a part of the processor time of a request, were
    each graph call made for one request alone.
    """
    wall = [counted[0] / bare[0] for counted, bare in pairs]
    cpu = [counted[1] / bare[1] for counted, bare in pairs]
    quarters = statistics.quantiles(wall, n=4)
    request_us = 1e6 * n / statistics.median(bare[1] for _, bare in pairs)
    counted_us = counting["request_us"] + calls * counting["graph_call_us"]
    return {
        "samples_s_without": round(statistics.median(bare[0] for _, bare in pairs), 1),
        "samples_s_with": round(statistics.median(counted[0] for counted, _ in pairs), 1),
        "throughput_ratio": round(statistics.median(wall), 4),
        "throughput_ratio_error": round(1.2533 * (quarters[2] - quarters[0]) / 1.349 / len(pairs) ** 0.5, 4),
        "samples_a_processor_second_ratio": round(statistics.median(cpu), 4),
        "processor_us_a_request": round(request_us, 1),
        "counting_part_at_most": round(counted_us / request_us, 4),
    }


def main() -> None:
    """Into files of a directory, as in service."""
    with tempfile.TemporaryDirectory() as directory:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = directory
        from brood.observe.metrics import Metrics
        from brood.observe.tally import Writer

        metrics = Metrics()
        counting = alone(metrics)
        with closing(Writer(metrics.write)):
            found = {
                name: told(asyncio.run(under_load(metrics, model, n, params)), n, params.get("steps", 1), counting)
                for name, (model, n, params) in LOADS.items()
            }
        result = {
            "command": COMMAND,
            "machine": {"cores": os.cpu_count(), "system": platform.system(), "architecture": platform.machine()},
            "callers": CALLERS,
            "counting": counting,
            "under_load": found,
        }
    RESULT.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
