"""What rows' state costs beside the graph: writes results/state.json.

Run it from the root of the project: PYTHONPATH=tests python tests/bench/bench_state.py

Everything is timed on one thread, the things compared in turn, call by call; figures are medians in µs.

- steady: the same rows in every call of a small graph (x' = x/2 + noise). ``graph`` is the bare session, ``gathered``
  is state gathered before the call and scattered after it, ``slots`` is `brood.runtimes.slots.HostSlots`.
- binding: the bare session against IO binding with two preallocated sets of buffers that take turns.
- traffic: rows of 4 and of 50 steps come and go in 32 places, at a load of 1 (always full) or less (Poisson arrivals);
  the graph takes no time, so only the state's cost is left; means over the calls. ``unchanged`` is the cost if no row
  ever came or went. ``renumbered`` adds to that no more than the copies of rows that come, go or must move so that
  slots stay together: less than any way of renumbering slots could take.
- graphs: what renumbering would save at the load at which it saves most, beside the time of a call of shipped graphs.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import cycle, islice, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from onnx import TensorProto, helper

from brood.protocol.manifest import Graph, State
from brood.runtimes.base import Arrays, LoadedGraph, Placement, RuntimeOptions
from brood.runtimes.load import load_graphs
from brood.runtimes.onnx_graph import OnnxGraph
from brood.runtimes.slots import HostSlots, SlotRuntime
from brood.store.store import find_bundles, read_bundle, zoo_root
from helpers.naive_slots import NaiveSlots

RESULT = Path(__file__).parent / "results" / "state.json"
COMMAND = "PYTHONPATH=tests python tests/bench/bench_state.py"
MEASURED_S = 0.8
CALLS_AT_LEAST = 15
SIZES_KB = (3, 100, 5000)
ROWS = (1, 8, 32)
LARGEST_KB = 50_000  # of one batch
PLACES, BUCKETS = 32, (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)
SHORT, LONG = 4, 50
LOADS = (1.0, 0.7, 0.3)
CALLS, REPEATS = 400, 5
TRAFFIC = ((3, 2), (12, 2), (100, 2))  # KB of one state, states

Shapes = Mapping[str, tuple[int, ...]]
Call = tuple[list[int], list[int]]  # slots of fresh rows, slots of all rows


def medians(calls: Mapping[str, Callable[[], object]]) -> dict[str, float]:
    """Median µs of each, called in turn."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for call in calls.values():
        call()
    end = time.perf_counter() + MEASURED_S
    while time.perf_counter() < end or len(times[next(iter(calls))]) < CALLS_AT_LEAST:
        for name, call in calls.items():
            began = time.perf_counter()
            call()
            times[name].append(time.perf_counter() - began)
    return {name: round(statistics.median(found) * 1e6, 1) for name, found in times.items()}


def session(numbers: int) -> tuple[Any, OnnxGraph]:
    """next = x/2 + noise, of rows of so many float32."""
    tensors = {
        name: helper.make_tensor_value_info(name, TensorProto.FLOAT, ["rows", numbers])
        for name in ("x", "noise", "next")
    }
    nodes = [helper.make_node("Mul", ["x", "half"], ["halved"]), helper.make_node("Add", ["halved", "noise"], ["next"])]
    half = helper.make_tensor("half", TensorProto.FLOAT, [], [0.5])
    graph = helper.make_graph(nodes, "step", [tensors["x"], tensors["noise"]], [tensors["next"]], [half])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = 1
    found = onnxruntime.InferenceSession(model.SerializeToString(), settings, providers=["CPUExecutionProvider"])
    tensor = {"dtype": "float32", "shape": (numbers,)}
    words = {
        "inputs": {"x": {**tensor, "role": "state"}, "noise": {**tensor, "role": "input"}},
        "outputs": {"next": {**tensor, "role": "state"}},
    }
    spec = Graph.model_validate({"file": "g", "runtime": "onnx", "buckets": (1,), **words})
    return found, OnnxGraph(spec, found, Placement("CPUExecutionProvider", "float32"))


def steady(size_kb: int, rows: int) -> dict[str, Any]:
    _, graph = session(size_kb * 256)
    state = {"x": State(dtype="float32", shape=(size_kb * 256,), init="zeros")}
    noise = {"noise": np.random.default_rng(0).standard_normal((rows, size_kb * 256)).astype(np.float32)}
    slots = np.random.default_rng(0).permutation(2 * rows)[:rows].tolist()  # all over the place

    def step(runtime: SlotRuntime) -> Callable[[], object]:
        return lambda: runtime.run("step", slots, rows, noise, (("x", "x"),), (("next", "x"),))

    found = medians(
        {
            "graph": lambda: graph({**noise, "x": noise["noise"]}),
            "gathered": step(NaiveSlots({"step": graph}, state, 2 * rows)),
            "slots": step(HostSlots({"step": graph}, state, 2 * rows)),
        }
    )
    return {"row_kb": size_kb, "rows": rows, **found, "gathered_over_slots": ratio(found["gathered"], found["slots"])}


def binding(size_kb: int, rows: int) -> dict[str, Any]:
    bare, graph = session(size_kb * 256)
    noise = np.random.default_rng(0).standard_normal((rows, size_kb * 256)).astype(np.float32)
    buffers = [onnxruntime.OrtValue.ortvalue_from_numpy(np.zeros_like(noise)) for _ in range(2)]
    bindings = []
    for source, target in ((0, 1), (1, 0)):
        made = bare.io_binding()
        made.bind_ortvalue_input("x", buffers[source])
        made.bind_ortvalue_output("next", buffers[target])
        bindings.append(made)
    last, turn = {"next": noise}, [0]

    def run() -> None:
        last.update(graph({"x": last["next"], "noise": noise}))

    def bound() -> None:
        turn[0] ^= 1
        bindings[turn[0]].bind_cpu_input("noise", noise)
        bare.run_with_iobinding(bindings[turn[0]])

    found = medians({"run": run, "bound": bound})
    return {"row_kb": size_kb, "rows": rows, **found, "run_over_bound": ratio(found["run"], found["bound"])}


class NoGraph:
    """A `LoadedGraph` that takes no time: every state has its output, and outputs are made ahead."""

    def __init__(self, shapes: Shapes) -> None:
        tensors = {name: {"dtype": "float32", "shape": shape, "role": "state"} for name, shape in shapes.items()}
        words = {"file": "g", "runtime": "fake", "buckets": BUCKETS, "inputs": tensors, "outputs": tensors}
        self.spec = Graph.model_validate(words)
        self._turn = 0
        self._sets = {
            rows: [{name: np.ones((rows, *shape), np.float32) for name, shape in shapes.items()} for _ in range(2)]
            for rows in BUCKETS
        }

    def __call__(self, inputs: Arrays) -> dict[str, np.ndarray]:
        self._turn ^= 1
        return dict(self._sets[len(next(iter(inputs.values())))][self._turn])


def traffic(load: float) -> list[Call]:
    """Which rows run in each call."""
    random, free, waiting = np.random.default_rng(0), list(range(2 * PLACES)), 0
    rows: dict[int, int] = {}  # slot → steps left
    calls: list[Call] = []
    while len(calls) < CALLS:
        waiting = PLACES if load >= 1.0 else waiting + int(random.poisson(load * PLACES / ((SHORT + LONG) / 2)))
        fresh = [free.pop() for _ in range(min(waiting, PLACES - len(rows)))]
        waiting -= len(fresh)
        rows.update((slot, int(random.choice([SHORT, LONG]))) for slot in fresh)
        if rows:
            calls.append((fresh, list(rows)))
        rows = {slot: left - 1 for slot, left in rows.items()}
        free += [slot for slot, left in rows.items() if not left]
        rows = {slot: left for slot, left in rows.items() if left}
    return calls


def replay(runtime: SlotRuntime, shapes: Shapes, calls: list[Call], *, in_order: bool) -> float:
    """Mean µs of a call."""
    pairs = tuple((name, name) for name in shapes)
    zeros = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
    times = []
    for fresh, rows in calls:
        for slot in fresh:
            for name in shapes:
                runtime.write(slot, name, zeros[name])
        slots = sorted(rows) if in_order else rows
        began = time.perf_counter()
        runtime.run("step", slots, bucket_of(len(slots)), {}, pairs, pairs)
        times.append(time.perf_counter() - began)
    return trimmed_mean(times)


def copies(shapes: Shapes, calls: list[Call]) -> float:
    """Mean µs of copying, call by call, the rows that have come, gone or moved."""
    times, places = [], cycle(range(PLACES))
    home = {name: np.ones((2 * PLACES, *shape), np.float32) for name, shape in shapes.items()}
    for (_, before), (fresh, rows) in pairwise(calls):
        gone = len(set(before) - set(rows))
        moved = min(max(0, gone - len(fresh)), len(rows))
        began = time.perf_counter()
        for tensor in home.values():
            for place in islice(places, len(fresh) + gone + moved):
                tensor[place] = tensor[PLACES + place]
        times.append(time.perf_counter() - began)
    return trimmed_mean(times)


def compare(shapes: Shapes, load: float) -> dict[str, float]:
    state = {name: State(dtype="float32", shape=shape, init="zeros") for name, shape in shapes.items()}
    calls = traffic(load)
    full: list[Call] = [([], list(range(PLACES)))] * CALLS

    def graphs() -> dict[str, LoadedGraph]:
        return {"step": NoGraph(shapes)}

    def once() -> Iterator[tuple[str, float]]:
        yield "gathered", replay(NaiveSlots(graphs(), state, 2 * PLACES), shapes, calls, in_order=True)
        yield "slots_by_arrival", replay(HostSlots(graphs(), state, 2 * PLACES), shapes, calls, in_order=False)
        yield "slots_by_number", replay(HostSlots(graphs(), state, 2 * PLACES), shapes, calls, in_order=True)
        yield "unchanged", replay(HostSlots(graphs(), state, 2 * PLACES), shapes, full, in_order=True)
        yield "copies", copies(shapes, calls)

    runs = [dict(once()) for _ in range(REPEATS)]
    found = {name: round(statistics.median(run[name] for run in runs), 1) for name in runs[0]}
    found["renumbered"] = round(found["unchanged"] + found.pop("copies"), 1)
    return found


def shipped() -> Iterator[dict[str, Any]]:
    """Calls of shipped graphs with state, at the rows of a load at which renumbering saves most."""
    for reference in find_bundles(zoo_root()):
        bundle = read_bundle(reference.directory)
        for name, graph in load_graphs(bundle.directory, bundle.manifest, RuntimeOptions(1)).items():
            shapes = {key: spec.shape for key, spec in graph.spec.inputs.items() if spec.role == "state"}
            if not any(spec.role == "state" for spec in graph.spec.outputs.values()):
                continue
            inputs = {key: np.ones((24, *spec.shape), spec.dtype) for key, spec in graph.spec.inputs.items()}
            step = medians({"step": partial(graph, inputs)})["step"]
            found = compare(shapes, 0.7)
            saved = max(0.0, found["slots_by_number"] - found["renumbered"])
            share = {"saved_at_most": round(saved, 1), "share_of_step": round(saved / step, 3)}
            yield {"bundle": reference.name, "graph": name, "rows": 24, "step": step, **found, **share}


def bucket_of(rows: int) -> int:
    return min(bucket for bucket in BUCKETS if bucket >= rows)


def trimmed_mean(times: list[float]) -> float:
    """µs, without the slowest fiftieth: those in which another process had the core."""
    kept = sorted(times)[: -max(1, len(times) // 50)]
    return statistics.fmean(kept) * 1e6


def ratio(one: float, other: float) -> float:
    return round(one / other, 2)


def main() -> None:
    sizes = [(size_kb, rows) for size_kb in SIZES_KB for rows in ROWS if size_kb * rows <= LARGEST_KB]
    report: dict[str, Any] = {
        "command": COMMAND,
        "unit": "µs",
        "machine": {"cores": os.cpu_count(), "system": platform.system(), "architecture": platform.machine()},
        "python": platform.python_version(),
        "numpy": np.__version__,
        "onnxruntime": onnxruntime.__version__,
        "steady": [steady(*size) for size in sizes],
        "binding": [binding(*size) for size in sizes],
        "traffic": [
            {"row_kb": size_kb, "states": states, "load": load}
            | compare({f"state{number}": (size_kb * 256,) for number in range(states)}, load)
            for size_kb, states in TRAFFIC
            for load in LOADS
        ],
        "graphs": list(shipped()),
    }
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    for part in ("steady", "binding", "traffic", "graphs"):
        for line in report[part]:
            print(part, ", ".join(f"{name} {value}" for name, value in line.items()))


if __name__ == "__main__":
    main()
