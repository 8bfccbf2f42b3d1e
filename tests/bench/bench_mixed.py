"""Step-level batching against request-level batching on the same graphs: writes results/mixed-MODEL.json.

Half of the requests take 4 steps and half take 50 (or 90 % take 4; or all take 20), with mixed samplers, guidance and
labels, one sample each. Four servers in turn, each with both cores for its graph calls: brood's engine; batches keyed
by parameters; padded batches; and `@serve.batch` of Ray Serve (padded batches behind a deployment handle).

- capacity: samples a second with 32 requests always outstanding;
- latency: open-loop Poisson arrivals at 70 % (where all take 20 steps: 40, 50 and 60 %) of the best request-level
  capacity, the same arrivals for all.

The three in this process are there all the time, and are measured one after another in every round, in another order
each time; told are medians of rounds, and of ratios within a round. Ray Serve comes behind them, alone: its processes
take some of the cores also when they are idle. Run it from the root of the project, on a quiet machine:
PYTHONPATH=tests python tests/bench/bench_mixed.py [glyphs-diffusion|points-diffusion|wide|wider]
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import platform
import random
import statistics
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import uvloop

from bench.request_level import Denoiser, RequestLevel
from bench.wide import WIDTHS, wide_zoo
from brood.engine.loop import EngineObserver
from brood.host.host import Host, HostOptions
from brood.program import compile_program
from brood.protocol.events import Failed, Sample
from brood.protocol.requests import Generation
from brood.runtimes.base import RuntimeOptions
from brood.runtimes.load import load_graphs
from brood.store.store import find_bundles, read_bundle, zoo_root
from brood.store.wanted import wanted

RESULTS = Path(__file__).parent / "results"
CORES = len(os.sched_getaffinity(0))
OUTSTANDING = 32
CLOSED_S, ROUNDS = 7.0, 4
STRETCH = {"wider": 2.0}  # so many times as long is measured, where calls are long
HERE, RAY = ("brood", "keyed", "padded"), "serve_batch"


class Load(NamedTuple):
    """Open-loop arrivals."""

    mix: str
    share: float  # of the best request-level capacity
    seconds: float = 6.0  # of a round
    rounds: int = ROUNDS


# Where all are soon made, rounds are short and many: the machine's own pace changes within seconds.
LOADS = {
    "half": Load("half", 0.7),
    "mostly_short": Load("mostly_short", 0.7),
    "equal_at_40": Load("equal", 0.4, 2.0, 16),
    "equal_at_50": Load("equal", 0.5, 2.0, 16),
    "equal_at_60": Load("equal", 0.6, 2.0, 16),
}
MIXES = {"half": {4: 0.5, 50: 0.5}, "mostly_short": {4: 0.9, 50: 0.1}, "equal": {20: 1.0}}
SAMPLERS = {4: ("ddim", "dpmpp-2m"), 20: ("dpmpp-2m",), 50: ("ddim", "ddpm", "euler", "euler-ancestral")}
GUIDANCE = (1.0, 2.0)
BASELINES = HERE[1:]
NUMBERS = itertools.count()

Make = Callable[[Generation], Awaitable[object]]


class Quiet(EngineObserver):
    """Counts the engine's calls and rows, for the occupancy."""

    def __init__(self) -> None:
        self.calls, self.rows, self.seconds = 0, 0, 0.0

    def stepped(self, model: str, graph: str, rows: int, bucket: int, calls: int, seconds: float, error: float) -> None:
        self.calls, self.rows, self.seconds = (
            self.calls + calls,
            self.rows + calls * rows,
            self.seconds + calls * seconds,
        )

    def queued(self, rows: int, backlog_s: float) -> None:
        pass

    def wasted(self, seconds: float) -> None:
        pass


class Requests:
    """An endless sequence of requests, the same for the same seed."""

    def __init__(self, model: str, defaults: dict[str, Any], mix: str, seed: int) -> None:
        self._model, self._defaults, self._mix = model, defaults, MIXES[mix]
        self._guidance = GUIDANCE if mix != "equal" else (1.0,)
        self._random = random.Random(seed)  # numpy's takes longer for one choice than a server for a request

    def next(self) -> Generation:
        """One more."""
        (steps,) = self._random.choices(list(self._mix), list(self._mix.values()))
        params = self._defaults | {
            "steps": steps,
            "sampler": self._random.choice(SAMPLERS[steps]),
            "guidance": self._random.choice(self._guidance),
            "label": self._random.randrange(4),
        }
        number = next(NUMBERS)
        return Generation(str(number), self._model, 1, "generate", 1, number, 0, params, {}, None)


class Bench:
    """A model, and the servers that compete on it."""

    def __init__(self, model: str, models: Path) -> None:
        self.model, self.models, self.stretch = model, models, STRETCH.get(model, 1.0)
        found = next(ref for ref in find_bundles(models) if ref.name == model)
        bundle = read_bundle(found.directory)
        self.graphs = load_graphs(bundle.directory, bundle.manifest, RuntimeOptions(CORES))
        program = compile_program(bundle.manifest, "generate")
        self.denoiser = Denoiser(program, self.graphs)
        self.defaults = {name: spec.default for name, spec in program.operation.params.items()}
        self.buckets = bundle.manifest.graphs["step"].buckets

    def requests(self, mix: str, seed: int) -> Requests:
        """Requests of a mix."""
        return Requests(self.model, self.defaults, mix, seed)

    def key(self, request: Generation) -> tuple[object, ...]:
        """The parameters that make a batch of their own."""
        return (request.params["steps"], request.params["sampler"], self.denoiser.guided(request))

    @contextlib.asynccontextmanager
    async def brood(self) -> AsyncIterator[Make]:
        """The engine, as a server has it."""
        host = Host(HostOptions(models=self.models, wanted=wanted({}, [self.model]), threads=CORES), Quiet())
        await host.start()

        async def make(request: Generation) -> object:
            made: object = None
            async for event in host.submit(request):
                if isinstance(event, Failed):
                    raise event.error
                if isinstance(event, Sample):
                    made = event.outputs
            return made

        yield make
        await host.stop()

    @contextlib.asynccontextmanager
    async def request_level(self, padded: bool) -> AsyncIterator[Make]:
        """One of the two baselines."""
        key = self.denoiser.guided if padded else self.key
        server = RequestLevel(self.denoiser.run, key, self.buckets)
        server.start()
        yield server.make
        await server.stop()

    @contextlib.asynccontextmanager
    async def serve_batch(self) -> AsyncIterator[Make]:
        """Ray Serve's own batching."""
        from ray import serve

        app = _deployment(self)
        handle = serve.run(app, name="bench", route_prefix=None)

        async def make(request: Generation) -> object:
            return await handle.remote(request)

        yield make
        serve.delete("bench")

    def servers(self) -> dict[str, Callable[[], contextlib.AbstractAsyncContextManager[Make]]]:
        """All by name."""
        return {
            "brood": self.brood,
            "keyed": partial(self.request_level, padded=False),
            "padded": partial(self.request_level, padded=True),
            "serve_batch": self.serve_batch,
        }


def _deployment(bench: Bench) -> Any:
    from ray import serve

    model, models, most = bench.model, bench.models, bench.buckets[-1]
    deployment: Any = serve.deployment(max_ongoing_requests=1000, ray_actor_options={"num_cpus": 0})
    batch: Any = serve.batch(max_batch_size=most, batch_wait_timeout_s=0.0)

    class Batched:
        def __init__(self) -> None:
            bench = Bench(model, models)
            self._denoiser, self._buckets = bench.denoiser, bench.buckets

        async def _make(self, requests: list[Generation]) -> list[np.ndarray]:
            made: dict[str, np.ndarray] = {}
            for guided in (False, True):
                part = [request for request in requests if self._denoiser.guided(request) is guided]
                if part:
                    bucket = min(bucket for bucket in self._buckets if bucket >= len(part))
                    samples = await asyncio.to_thread(self._denoiser.run, part, bucket)
                    made |= {request.request_id: sample for request, sample in zip(part, samples, strict=True)}
            return [made[request.request_id] for request in requests]

        async def __call__(self, request: Generation) -> np.ndarray:
            batched: Any = self._make
            found: np.ndarray = await batched(request)
            return found

    Batched._make = batch(Batched._make)  # type: ignore[method-assign]
    return deployment(Batched).bind()


async def capacity(make: Make, requests: Requests, seconds: float) -> float:
    """Samples a second with so many requests always outstanding; the first quarter does not count."""
    ends: list[float] = []
    stop = time.perf_counter() + seconds

    async def client() -> None:
        while time.perf_counter() < stop:
            await make(requests.next())
            ends.append(time.perf_counter())

    await asyncio.gather(*[client() for _ in range(OUTSTANDING)])
    counted = [end for end in ends if stop - 0.75 * seconds <= end <= stop]
    return len(counted) / (0.75 * seconds)


async def latencies(make: Make, requests: Requests, rate: float, seed: int, seconds: float) -> dict[str, list[float]]:
    """Steps → milliseconds from arrival to the sample, of each request that arrived."""
    rng, found, running = np.random.default_rng(seed), dict[str, list[float]](), set[asyncio.Task[None]]()
    due = began = time.perf_counter()

    async def one(request: Generation, arrived: float) -> None:
        await make(request)
        found.setdefault(str(request.params["steps"]), []).append(1e3 * (time.perf_counter() - arrived))

    while due < began + seconds:
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        task = asyncio.create_task(one(requests.next(), due))  # counted from when it was due, not from when it was sent
        running.add(task)
        task.add_done_callback(running.discard)
        due += rng.exponential(1 / rate)
    await asyncio.gather(*running)
    return found


def summary(values: Sequence[float]) -> dict[str, float]:
    """Mean and percentiles, milliseconds."""
    p50, p95, p99 = np.percentile(values, (50, 95, 99))
    return {"n": len(values), "mean": float(np.mean(values)), "p50": float(p50), "p95": float(p95), "p99": float(p99)}


@dataclass
class Found:
    """What was measured."""

    capacity: dict[str, dict[str, list[float]]]  # mix → server → samples a second, by round
    milliseconds: dict[str, dict[str, dict[str, list[float]]]]  # load → server → steps → of each request

    async def measure(
        self, bench: Bench, names: Sequence[str], rounds: int, loads: Callable[[], Mapping[str, float]]
    ) -> None:
        """Some servers in turn: first capacities, then latencies at so many requests a second."""
        async with contextlib.AsyncExitStack() as stack:
            makes = {name: await stack.enter_async_context(bench.servers()[name]()) for name in names}
            for make in makes.values():
                await asyncio.gather(*[make(bench.requests("equal", 99).next()) for _ in range(8)])
            for number, mix, name in turns(dict.fromkeys(MIXES, rounds), names):
                made = await capacity(makes[name], bench.requests(mix, number), bench.stretch * CLOSED_S)
                self.capacity.setdefault(mix, {}).setdefault(name, []).append(round(made, 2))
                print(mix, name, f"{made:.1f}/s", flush=True)
            rates = loads()
            some = {name: load.rounds if rounds > 1 else 1 for name, load in LOADS.items()}
            for number, load, name in turns(some, names):
                requests, seconds = bench.requests(LOADS[load].mix, number), bench.stretch * LOADS[load].seconds
                taken = await latencies(makes[name], requests, rates[load], number, seconds)
                for steps, values in taken.items():
                    self.milliseconds.setdefault(load, {}).setdefault(name, {}).setdefault(steps, []).extend(values)
                means = {steps: f"{statistics.mean(values):.1f} ms" for steps, values in taken.items()}
                print(load, name, means, flush=True)

    def loads(self) -> dict[str, float]:
        """Load → requests a second."""
        return {
            name: load.share * max(statistics.median(self.capacity[load.mix][each]) for each in BASELINES)
            for name, load in LOADS.items()
        }


def turns(rounds: Mapping[str, int], names: Sequence[str]) -> Iterator[tuple[int, str, str]]:
    """Round, kind of load and server, one after another; each kind so many rounds."""
    for number in range(max(rounds.values())):
        order = [*names[number % len(names) :], *names[: number % len(names)]]
        yield from ((number, kind, name) for kind, most in rounds.items() if number < most for name in order)


def ratios(found: Found) -> dict[str, Any]:
    """brood against the better of the two baselines in this process."""
    told: dict[str, Any] = {}
    for mix, rates in found.capacity.items():
        medians = {name: statistics.median(each) for name, each in rates.items()}
        other = max(BASELINES, key=lambda name: medians[name])
        paired = [ours / theirs for ours, theirs in zip(rates["brood"], rates[other], strict=True)]
        told[f"capacity_{mix}"] = round(statistics.median(paired), 2)
        told[f"capacity_{mix}_to_{RAY}"] = round(medians["brood"] / medians[RAY], 2)
    for load, each in found.milliseconds.items():
        steps = min(each["brood"], key=int)
        told_of = {name: summary(each[name][steps]) for name in HERE}
        for statistic in ("mean", "p95"):
            better = min(told_of[name][statistic] for name in BASELINES)
            told[f"latency_{load}_{steps}_steps_{statistic}"] = round(better / told_of["brood"][statistic], 2)
    return told


def main() -> None:
    model = sys.argv[1] if len(sys.argv) > 1 else "glyphs-diffusion"
    bench, found = Bench(model, wide_zoo(model) if model in WIDTHS else zoo_root()), Found({}, {})
    uvloop.run(found.measure(bench, HERE, ROUNDS, found.loads))  # as a server has it
    loads = found.loads()
    import ray

    ray.init(include_dashboard=False, log_to_driver=False, num_cpus=CORES)
    try:
        uvloop.run(found.measure(bench, [RAY], 1, lambda: loads))
    finally:
        from ray import serve

        serve.shutdown()
        ray.shutdown()
    result = {
        "command": f"PYTHONPATH=tests python tests/bench/bench_mixed.py {model}",
        "machine": {"cores": CORES, "system": platform.system(), "architecture": platform.machine()},
        "ratios": ratios(found),
        "capacity": found.capacity,
        "requests_per_s": {load: round(rate, 2) for load, rate in loads.items()},
        "latency_ms": {
            load: {
                name: {steps: summary(taken[steps]) for steps in sorted(taken, key=int)} for name, taken in each.items()
            }
            for load, each in found.milliseconds.items()
        },
    }
    (RESULTS / f"mixed-{model}.json").write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result["ratios"], indent=2))


if __name__ == "__main__":
    main()
