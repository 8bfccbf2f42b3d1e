"""Autoscaling on a ramp, on a real server: writes results/autoscaling.{json,png}. About eight minutes.

`brood serve --topology split` with one generator of 0 to 5 workers. Its model is a stand-in for one on a device of its
own: a step waits as long as a GPU would (40 ms and 0.8 ms a row, as in the simulation of bench_scaling.py) and
computes next to nothing, so that more workers are more capacity, however few cores the machine has. Everything else is
what serves: the engine's cost model, the reports, the policy in Serve's controller, workers as processes that start and
end, requests held at the ingress. The delays are shorter than the defaults, so that the ramp can be, too.
Run it from the root of the project: PYTHONPATH=tests python tests/bench/bench_autoscaling.py
"""

from __future__ import annotations

import asyncio
import json
import platform
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import httpx2
import numpy as np
import psutil
from prometheus_client.parser import text_string_to_metric_families

from bench.bench_scaling import Ramp, plot
from brood.generators import Autoscaling
from brood.simulation.curves import affine
from brood.simulation.fleet import Moment
from brood.simulation.kinds import Kind
from brood.simulation.ramps import Points, ramp
from brood.simulation.setting import Setting
from brood_client import AsyncClient, BroodError
from helpers.bundles import steps_bundle
from helpers.served import Served

RESULTS = Path(__file__).parent / "results"
COMMAND = "PYTHONPATH=tests python tests/bench/bench_autoscaling.py"
GROUP, SEED = "workers", 1
KIND = Kind(steps=25, n=8)
CALL_S, ROW_S = 0.040, 0.0008
RATE = Setting({"step": affine(CALL_S, ROW_S, (1, 2, 4, 8))}).ideal_rate({KIND: 1.0})  # of one worker, requests/s
WORDS = Autoscaling(min=0, max=5, up_delay_s=5, down_delay_s=20, idle_delay_s=30)
# Of what one worker could do in full calls: a third, three times it, a third; nothing; a third.
LEVELS: Points = (
    (15.0, 0.3),
    (45.0, 0.3),
    (135.0, 3.0),
    (195.0, 3.0),
    (225.0, 0.3),
    (285.0, 0.3),
    (286.0, 0.0),
    (365.0, 0.0),
    (366.0, 0.3),
    (400.0, 0.3),
)
UNTIL = 460.0
GAUGES = {"brood_worker_links", "brood_held_requests", "brood_backlog_seconds"}


@dataclass
class Tally:
    """What came of the requests."""

    arrived: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)


async def one(client: AsyncClient, seed: int, tally: Tally) -> None:
    """One request, from when it was due."""
    began = time.monotonic()
    try:
        await client.generate("steps", n=KIND.n, seed=seed, params={"steps": KIND.steps})
    except BroodError as error:
        tally.outcomes[error.code] += 1
        return
    tally.outcomes["succeeded"] += 1
    tally.seconds.append(time.monotonic() - began)


def workers(served: Served) -> int:
    """Processes of the generator, those that start among them."""
    return sum(f"generator-{GROUP}" in _command(process) for process in served.processes())


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


async def look(served: Served, tally: Tally, at: float, http: httpx2.AsyncClient) -> Moment:
    """What is so at one moment."""
    text = (await http.get(f"http://127.0.0.1:{served.metrics_port}/metrics")).text
    found = dict.fromkeys(GAUGES, 0.0)
    for family in text_string_to_metric_families(text):
        if family.name in GAUGES:
            found[family.name] = sum(sample.value for sample in family.samples)
    return Moment(
        at=at,
        arrived=tally.arrived,
        target=await asyncio.to_thread(workers, served),
        running=int(found["brood_worker_links"]),
        backlog_s=found["brood_backlog_seconds"],
        held=int(found["brood_held_requests"]),
    )


async def watch(served: Served, tally: Tally, began: float, moments: list[Moment]) -> None:
    """Look once a second."""
    async with httpx2.AsyncClient(timeout=10) as http:
        while (now := time.monotonic() - began) < UNTIL:
            moments.append(await look(served, tally, now, http))
            await asyncio.sleep(1.0)


async def run(served: Served) -> tuple[Tally, list[Moment]]:
    """All requests, and what was seen meanwhile."""
    tally, moments, running = Tally(), list[Moment](), set[asyncio.Task[None]]()
    trace = ramp([(at, level * RATE) for at, level in LEVELS], KIND, SEED)
    async with AsyncClient(f"http://127.0.0.1:{served.http_port}") as client:
        began = time.monotonic()
        watching = asyncio.create_task(watch(served, tally, began, moments))
        for number, arrival in enumerate(trace):
            await asyncio.sleep(max(0.0, began + arrival.at - time.monotonic()))
            tally.arrived += 1
            task = asyncio.create_task(one(client, number, tally))
            running.add(task)
            task.add_done_callback(running.discard)
        await asyncio.gather(*running)
        await watching
    return tally, moments


def counts(moments: list[Moment]) -> list[tuple[float, int]]:
    """(when, workers that are ready) at each change."""
    first = [(round(moments[0].at, 1), moments[0].running)]
    return first + [(round(b.at, 1), b.running) for a, b in pairwise(moments) if a.running != b.running]


def main() -> None:
    with tempfile.TemporaryDirectory() as room:
        steps_bundle(Path(room), takes={"call_s": CALL_S, "row_s": ROW_S})
        group = {"name": GROUP, "models": ["steps"], "autoscaling": WORDS.model_dump()}
        served = Served("--models", room, "--topology", "split", "--threads", "1", "--generators", json.dumps([group]))
        try:
            tally, moments = asyncio.run(run(served))
        finally:
            served.end()
    title = f"1 → N → 1 → 0 → 1 on one machine: processes, and requests of {KIND.label}"
    plot(moments, Ramp(LEVELS, RATE), title, RESULTS / "autoscaling.png")
    p50, p95, p99 = np.quantile(tally.seconds, (0.5, 0.95, 0.99)).tolist()
    words: dict[str, Any] = {
        "command": COMMAND,
        "machine": {"system": platform.platform(), "python": platform.python_version()},
        "policy": WORDS.model_dump(),
        "request": KIND.label,
        "one worker serves, requests/s": round(RATE, 2),
        "requests": tally.arrived,
        "succeeded": tally.outcomes["succeeded"],
        "failed": {code: count for code, count in tally.outcomes.items() if code != "succeeded"},
        "latency s": {"p50": round(p50, 2), "p95": round(p95, 2), "p99": round(p99, 2)},
        "most workers": max(moment.running for moment in moments),
        "most held": max(moment.held for moment in moments),
        "workers ready, at seconds": counts(moments),
    }
    (RESULTS / "autoscaling.json").write_text(json.dumps(words, indent=1, ensure_ascii=False) + "\n")
    print(json.dumps(words, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
