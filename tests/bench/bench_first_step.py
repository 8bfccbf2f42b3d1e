"""How long a request waits for its first step while slots are free: writes results/first-step.json.

Requests of one sample arrive (open loop, Poisson) at a server that is partly busy with others of their kind. A request
that arrives during a graph call is to be in the next one, if that has a place: if the call that makes most of those
that run and of this one has room for all of them (four that run beside one that waits may be a call of four, because
one of eight would cost more than it makes). Told is how much later than the end of the call in flight (or than their
arrival, on an idle device) their first step began, of those that found a place and of all. The load is a part of what
32 callers at once get made, whose requests go through their steps together; arrivals one by one cost more.
Run it from the root of the project, on a quiet machine: PYTHONPATH=tests python tests/bench/bench_first_step.py
"""

from __future__ import annotations

import asyncio
import json
import os
import platform
import statistics
import time
from bisect import bisect_right
from pathlib import Path
from typing import Any

import numpy as np

from brood.engine.cost import CostModel
from brood.engine.loop import EngineObserver
from brood.host.host import Host, HostOptions
from brood.program import compile_program
from brood.protocol.events import Done, Failed
from brood.protocol.requests import Generation
from brood.serve.garbage import keep_what_is_there
from brood.store.store import read_bundle, zoo_root
from brood.store.wanted import wanted

RESULT = Path(__file__).parent / "results" / "first-step.json"
MODELS, STEPS = ("points-diffusion", "glyphs-diffusion"), 20
CORES = len(os.sched_getaffinity(0))
SECONDS, ROUNDS, LOAD = 10.0, 3, 0.2


class Calls(EngineObserver):
    """When graph calls ended, and how long they took."""

    def __init__(self) -> None:
        self.ends: list[float] = []
        self.seconds: list[float] = []
        self.rows: list[int] = []

    def forget(self) -> None:
        """Begin anew."""
        self.ends, self.seconds, self.rows = [], [], []

    def stepped(self, model: str, graph: str, rows: int, bucket: int, calls: int, seconds: float, error: float) -> None:
        now = time.monotonic()
        self.ends += [now - seconds * left for left in reversed(range(calls))]
        self.seconds += [seconds] * calls
        self.rows += [rows] * calls

    def queued(self, rows: int, backlog_s: float) -> None:
        pass

    def wasted(self, seconds: float) -> None:
        pass

    def free_at(self, arrived: float) -> float:
        """When the device was free for a request that arrived at this time."""
        place = bisect_right(self.ends, arrived)
        if place == len(self.ends):
            return arrived
        began = self.ends[place] - self.seconds[place]
        return self.ends[place] if began < arrived else arrived


class Requests:
    """Requests of one sample."""

    def __init__(self, host: Host, model: str) -> None:
        program = compile_program(read_bundle(zoo_root() / model / "1").manifest, "generate")
        self._host, self._model, self._made, self._running = host, model, 0, 0
        defaults: dict[str, Any] = {name: spec.default for name, spec in program.operation.params.items()}
        self._params = defaults | {"steps": STEPS, "guidance": 1.0}

    async def make(self) -> tuple[float, float, int]:
        """One sample: when it was asked for, when its first step began, and how many others ran."""
        self._made += 1
        others, self._running = self._running, self._running + 1
        try:
            return (*await self._one(), others)
        finally:
            self._running -= 1

    async def _one(self) -> tuple[float, float]:
        order = Generation(
            str(self._made),
            self._model,
            1,
            "generate",
            n=1,
            seed=self._made,
            index=0,
            params=self._params,
            inputs={},
            deadline=None,
        )
        asked = time.monotonic()
        async for event in self._host.submit(order):
            match event:
                case Failed(error):
                    raise error
                case Done(usage):
                    return asked, asked + usage.queue_ms / 1e3
        raise RuntimeError("it ended without an end")


async def capacity(requests: Requests) -> float:
    """Samples a second with 32 requests outstanding."""
    made, stop = 0, time.monotonic() + 3.0

    async def client() -> None:
        nonlocal made
        while time.monotonic() < stop:
            await requests.make()
            made += 1

    await asyncio.gather(*[client() for _ in range(32)])
    return made / 3.0


async def waits(requests: Requests, calls: Calls, rate: float, seed: int) -> list[tuple[float, int]]:
    """Milliseconds of each request, and how many others ran when it came."""
    rng, running, due = np.random.default_rng(seed), list[asyncio.Task[tuple[float, float, int]]](), time.monotonic()
    end = due + SECONDS
    while due < end:
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        running.append(asyncio.create_task(requests.make()))
        due += rng.exponential(1 / rate)
    found = await asyncio.gather(*running)
    return [(1e3 * (began - max(asked, calls.free_at(asked))), others) for asked, began, others in found]


def has_place(costs: CostModel, graph: str, others: int) -> bool:
    """Whether the next call has room for one more than so many rows."""
    rows = others + 1
    return costs.bucket_for(graph, min(costs.reach(graph, rows), rows)) >= rows


async def measure(model: str, number: int) -> dict[str, float]:
    """One round."""
    calls = Calls()
    host = Host(HostOptions(wanted=wanted({}, [model]), threads=CORES), calls)
    await host.start()
    requests = Requests(host, model)
    rate = LOAD * await capacity(requests)
    calls.forget()
    keep_what_is_there()  # as a server does when it has loaded its models
    ready = host._shelf.ready((model, 1))
    if ready is None:
        raise RuntimeError(f"{model} is not ready")
    found = await waits(requests, calls, rate, number)
    await host.stop()
    costs, graph = ready.engine.costs, ready.engine.programs["generate"].stages[0].graph
    placed = [wait for wait, others in found if has_place(costs, graph, others)]
    p50, p99 = np.percentile(placed, (50, 99))
    all_p50, all_p99 = np.percentile([wait for wait, _ in found], (50, 99))
    return {
        "requests": len(found),
        "rate": rate,
        "placed": len(placed),
        "step_ms": 1e3 * statistics.median(calls.seconds),
        "rows_a_call": statistics.mean(calls.rows),
        "wait_p50_ms": float(p50),
        "wait_p99_ms": float(p99),
        "all_p50_ms": float(all_p50),
        "all_p99_ms": float(all_p99),
    }


def main() -> None:
    rounds: dict[str, list[dict[str, float]]] = {model: [] for model in MODELS}
    for number in range(ROUNDS):
        for model in MODELS:
            rounds[model].append(asyncio.run(measure(model, number)))
            print(model, rounds[model][-1], flush=True)
    told = {
        model: {name: round(statistics.median(each[name] for each in found), 3) for name in found[0]}
        for model, found in rounds.items()
    }
    result = {
        "command": "PYTHONPATH=tests python tests/bench/bench_first_step.py",
        "machine": {"cores": CORES, "system": platform.system(), "architecture": platform.machine()},
        "what": "beyond the end of the graph call in flight at arrival; medians of the rounds",
        **told,
    }
    RESULT.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(told, indent=2))


if __name__ == "__main__":
    main()
