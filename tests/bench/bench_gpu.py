"""The bare session against brood's engine on a GPU: writes results/gpu.json and .md, with the device's name.

For a DCGAN, a U-Net denoiser of 20 steps and a PixelRNN: rows a second by the rows of a call, with and without CUDA
graphs; how much of brood's time the device is busy (duty: what the bare session's calls of the same rows would take, of
the time that passes), and so what of a step is the host's. brood is asked in its own process, by as many callers of one
sample each as a call has rows. On the CPU it measures the same with less to see.

    PYTHONPATH=tests python tests/bench/bench_gpu.py --device cuda [--seconds 3] [--only unet] [--buckets 1,8,32]
    PYTHONPATH=tests python tests/bench/bench_gpu.py --device cpu --small --out /tmp/gpu.json      whether it works
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import json
import platform
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.gpu_raw import RawGraph
from brood.host.examples import complete_params
from brood.host.host import Host, HostOptions
from brood.program.compile import Program, compile_program
from brood.protocol.events import Failed
from brood.protocol.requests import Generation
from brood.runtimes.device import parse_device
from brood.runtimes.gpus import visible_gpus
from brood.store.store import Bundle, find_bundles, read_bundle, zoo_root
from brood.store.wanted import wanted

HERE = Path(__file__).parent
RESULT = HERE / "results" / "gpu.json"
COMMAND = "PYTHONPATH=tests python tests/bench/bench_gpu.py --device cuda"
BUCKETS = (1, 2, 4, 8, 16, 32)
THREADS = 1
CUDA_GRAPHS = "cuda_graph"  # part of the name of brood's own option, where it has one


@dataclass(frozen=True)
class Model:
    """What is measured."""

    name: str
    small: str  # shipped model of the same kind
    params: Mapping[str, Any] = field(default_factory=dict)


MODELS = (
    Model("dcgan-gan", "glyphs-gan"),
    Model("unet", "glyphs-diffusion", {"steps": 20, "guidance": 1.0}),
    Model("glyphs-pixelrnn", "glyphs-pixelrnn"),
)


class Calls:
    """An observer: calls of each size, and the time they took as the engine sees it."""

    def __init__(self) -> None:
        self.buckets: Counter[int] = Counter()
        self.rows, self.seconds = 0, 0.0

    def stepped(self, model: str, graph: str, rows: int, bucket: int, calls: int, seconds: float, error: float) -> None:
        """See `EngineObserver`."""
        self.buckets[bucket] += calls
        self.rows, self.seconds = self.rows + calls * rows, self.seconds + calls * seconds

    def queued(self, rows: int, backlog_s: float) -> None:
        """See `EngineObserver`."""

    def wasted(self, seconds: float) -> None:
        """See `EngineObserver`."""

    def clear(self) -> None:
        """From now on."""
        self.buckets, self.rows, self.seconds = Counter(), 0, 0.0


class Measured:
    """One model on one device.

    Args:
        bundle: of the model.
        params: of every request.
        given: the options.
    """

    def __init__(self, bundle: Bundle, params: Mapping[str, Any], given: argparse.Namespace) -> None:
        self._bundle, self._given = bundle, given
        self._program: Program = compile_program(bundle.manifest, "generate")
        self._params = complete_params(self._program, dict(params))
        schedule = self._program.schedule(self._params)
        self._stage, self._steps = self._program.stages[0].at(schedule, 0), schedule.steps
        self._number = 0

    def raw(self, *, cuda_graph: bool) -> dict[int, float]:
        """Rows of a call → milliseconds."""
        graph = self._bundle.manifest.graphs[self._stage.graph]
        found = {}
        for rows in self._given.buckets:
            alone = RawGraph(
                self._bundle.directory / graph.file,
                graph,
                rows,
                self._given.device,
                cuda_graph=cuda_graph,
                threads=THREADS,
                every=not self._stage.per_step,
            )
            found[rows] = 1e3 * alone.seconds(self._given.seconds / 2)
        return found

    async def brood(self, options: HostOptions, raw_ms: Mapping[int, float]) -> dict[int, dict[str, float]]:
        """Callers → what brood does; ``raw_ms`` is what the device would take alone."""
        calls = Calls()
        host = Host(options, calls)
        await host.start()
        (status,) = host.models()
        if status.state != "ready":
            raise RuntimeError(f"{status.name}: {status.reason}")
        try:
            return {clients: await self._pressed(host, calls, clients, raw_ms) for clients in self._given.buckets}
        finally:
            await host.stop()

    async def _pressed(self, host: Host, calls: Calls, clients: int, raw_ms: Mapping[int, float]) -> dict[str, float]:
        until = time.perf_counter() + 1.25 * self._given.seconds

        async def client() -> None:
            while time.perf_counter() < until:
                async for event in host.submit(self._request()):
                    if isinstance(event, Failed):
                        raise event.error

        tasks = [asyncio.create_task(client()) for _ in range(clients)]
        await asyncio.sleep(0.25 * self._given.seconds)
        calls.clear()
        began, cpu_s = time.perf_counter(), time.process_time()
        await asyncio.sleep(max(0.0, until - time.perf_counter()))
        seconds, cpu_s = time.perf_counter() - began, time.process_time() - cpu_s
        made = dict(calls.buckets)
        rows, called_s = calls.rows, calls.seconds
        await asyncio.gather(*tasks)
        if not rows:
            raise RuntimeError("no call ended in time; take more seconds")
        device_s = 1e-3 * sum(count * _at(raw_ms, bucket) for bucket, count in made.items())
        count = sum(made.values())
        return {
            "steps_per_s": rows / seconds,
            "samples_per_s": rows / seconds / (self._steps if self._stage.per_step else 1),
            "rows_of_a_call": rows / count,
            "call_ms": 1e3 * called_s / count,
            "step_ms": 1e3 * seconds / count,
            "duty": device_s / seconds,
            "host_share": max(0.0, 1 - device_s / seconds),
            "cpu_cores": cpu_s / seconds,
        }

    def _request(self) -> Generation:
        self._number += 1
        name, version = self._bundle.manifest.name, self._bundle.manifest.version
        return Generation(str(self._number), name, version, "generate", 1, self._number, 0, self._params, {}, None)


def _at(raw_ms: Mapping[int, float], bucket: int) -> float:
    """Milliseconds of a call; between two sizes that were measured, a straight line."""
    sizes = sorted(raw_ms)
    return float(np.interp(bucket, sizes, [raw_ms[size] for size in sizes]))


def cuda_graphs_option() -> str | None:
    """The name of brood's own option; None: it has none."""
    return next((each.name for each in dataclasses.fields(HostOptions) if CUDA_GRAPHS in each.name), None)


def with_option(options: HostOptions, name: str, value: object) -> HostOptions:
    """The same with another value of an option whose name is known now only."""
    replaced: dict[str, Any] = {name: value}
    return dataclasses.replace(options, **replaced)


def measure(model: Model, store: Path, given: argparse.Namespace) -> dict[str, Any]:
    """Everything about one model."""
    name = model.small if given.small else model.name
    bundle = read_bundle(next(ref.directory for ref in find_bundles(store) if ref.name == name))
    measured = Measured(bundle, model.params, given)
    is_gpu, option = parse_device(given.device).is_gpu, cuda_graphs_option()
    found: dict[str, Any] = {"model": name, "raw": {"plain": measured.raw(cuda_graph=False)}, "brood": {}}
    options = HostOptions(models=store, wanted=wanted({}, [name]), threads=THREADS, device=given.device)
    variants = {"plain": options}
    if is_gpu:
        found["raw"]["cuda graphs"] = attempted(lambda: measured.raw(cuda_graph=True))
        if option is not None:
            variants = {
                "plain": with_option(options, option, False),
                "cuda graphs": with_option(options, option, True),
            }
    for variant, chosen in variants.items():
        raw_ms = found["raw"].get(variant)
        raw_ms = raw_ms if isinstance(raw_ms, dict) else found["raw"]["plain"]
        found["brood"][variant] = attempted(
            lambda chosen=chosen, raw_ms=raw_ms: asyncio.run(measured.brood(chosen, raw_ms))
        )
        print(f"{name}, {variant}: {found['brood'][variant]}", flush=True)
    return found


def attempted(work: Any) -> Any:
    """What comes of it, or why nothing does: a variant that a device refuses must not end the bench."""
    try:
        return work()
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def page(words: Mapping[str, Any]) -> Iterator[str]:
    """The tables."""
    yield f"# The bare session and brood on {words['device']['name']}, {words['date'][:10]}: `{words['command']}`"
    for name, found in words["models"].items():
        yield from ("", f"## {name}", "")
        yield "| rows | raw ms | CUDA graphs | brood | rows a second | of raw | rows a call | host share | duty |"
        yield "|---" * 9 + "|"
        for variant, told in found["brood"].items():
            if isinstance(told, str):
                yield f"| | | | {variant}: {told[:100]} | | | | | |"
                continue
            yield from (_line(found, variant, rows, each) for rows, each in told.items())


def _line(found: Mapping[str, Any], variant: str, rows: str, each: Mapping[str, float]) -> str:
    raw_ms = found["raw"]["plain"][rows]
    graphs = found["raw"].get("cuda graphs", {})
    graphed = f"{graphs[rows]:.3f}" if isinstance(graphs, dict) and rows in graphs else "-"
    ratio = each["steps_per_s"] * raw_ms / 1e3 / int(rows)
    cells = [rows, f"{raw_ms:.3f}", graphed, variant, f"{each['steps_per_s']:,.0f}", f"{ratio:.2f}"]
    cells += [f"{each['rows_of_a_call']:.1f}", f"{each['host_share']:.0%}", f"{each['duty']:.0%}"]
    return f"| {' | '.join(cells)} |"


def device_words(device: str) -> dict[str, Any]:
    """What it is."""
    found = parse_device(device)
    if not found.is_gpu:
        return {"device": device, "name": platform.processor() or platform.machine()}
    gpu = visible_gpus()[found.number]
    return {"device": device, "name": gpu.name, "memory_bytes": gpu.memory_bytes}


def chosen_store(small: bool) -> Path:
    """The models: the shipped ones, or beside them a DCGAN and a U-Net that are made when they are first asked for."""
    if small:
        return zoo_root()
    from bench.peers.environments import KEPT
    from bench.peers.graphs import write_graphs
    from bench.wide import unet_zoo

    write_graphs(KEPT / "graphs")
    root = Path(tempfile.mkdtemp(prefix="brood-gpu-"))
    for store in (zoo_root(), unet_zoo(), KEPT / "graphs" / "store"):
        shutil.copytree(store, root, dirs_exist_ok=True)
    return root


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda", help="as brood serve has it")
    parser.add_argument("--only", default="", help="a part of the models' names")
    parser.add_argument("--small", action="store_true", help="shipped models of the same kinds")
    parser.add_argument("--seconds", type=float, default=3.0, help="of a measurement")
    parser.add_argument("--buckets", default=",".join(map(str, BUCKETS)), help="rows of a call, with commas")
    parser.add_argument("--out", type=Path, default=RESULT)
    given = parser.parse_args(arguments)
    given.buckets = tuple(int(rows) for rows in given.buckets.split(","))
    store = chosen_store(given.small)
    models = [model for model in MODELS if given.only in model.name]
    words: dict[str, Any] = {
        "command": COMMAND,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "device": device_words(given.device),
        "cuda_graphs_of_brood": cuda_graphs_option() or "no such option yet",
        "models": {model.name: measure(model, store, given) for model in models},
    }
    words = json.loads(json.dumps(words))  # numbers as names become texts
    given.out.write_text(json.dumps(words, indent=2) + "\n")
    given.out.with_suffix(".md").write_text("\n".join(page(words)) + "\n")
    print("\n".join(page(words)))


if __name__ == "__main__":
    main()
