"""A tiny model with every kind of state, for tests of slots.

State: ``x`` float32 [3], ``count`` int64, ``told`` float32 [3] (read by a graph, written by none), and ``grown``
float32 [2, 4, 3], which grows by one slice of four with every ``step``. Graphs:

- ``step``: x' = 0.5·x + 0.25·told + noise, count' = count + 1, one more slice (Σ grown) + noise, and ``seen`` = count;
- ``half``: x' = 0.5·x + noise, count' = count + 1;
- ``look``: ``seen`` = x + noise; it writes no state.

Each has ``noise`` float32 [3], the only input that is not state.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from brood.protocol.manifest import Graph, State
from brood.runtimes.base import LoadedGraph, RuntimeOptions
from brood.runtimes.fake import FakeGraph, load_fake
from brood.runtimes.slots import Pairs

LENGTH = 4  # of ``grown``
STATE = {
    "x": State(dtype="float32", shape=(3,), init="zeros"),
    "count": State(dtype="int64", init="zeros"),
    "told": State(dtype="float32", shape=(3,), init="zeros"),
    "grown": State(dtype="float32", shape=(2, LENGTH, 3), init="zeros"),
}
CALLS: dict[str, tuple[Pairs, Pairs]] = {
    "step": (
        (("x", "x"), ("count", "count"), ("told", "told"), ("grown", "grown")),
        (("next_x", "x"), ("next_count", "count"), ("more", "grown")),
    ),
    "half": ((("x", "x"), ("count", "count")), (("next_x", "x"), ("next_count", "count"))),
    "look": ((("x", "x"),), ()),
}
VALUE = (3,)
SLICE = (2, 1, 3)
SUMS: dict[str, dict[str, list[dict[str, Any]]]] = {
    "step": {
        "next_x": [{"times": 0.5, "of": ["x"]}, {"times": 0.25, "of": ["told"]}, {"of": ["noise"]}],
        "next_count": [{"of": ["count"]}, {"times": 1.0}],
        "more": [{"of": ["grown"]}, {"of": ["count"]}, {"times": 0.1}],
        "seen": [{"of": ["count"]}],
    },
    "half": {
        "next_x": [{"times": 0.5, "of": ["x"]}, {"of": ["noise"]}],
        "next_count": [{"of": ["count"]}, {"times": 1.0}],
    },
    "look": {"seen": [{"of": ["x"]}, {"of": ["noise"]}]},
}


def slot_graph(folder: Path, name: str, **fake: Any) -> FakeGraph:
    """One of the graphs; ``fake`` are further words of its description."""
    path = folder / f"{name}.json"
    outputs = {output: {"sum": terms} for output, terms in SUMS[name].items()}
    path.write_text(json.dumps({"outputs": outputs, **fake}), encoding="utf-8")
    return load_fake(path, slot_spec(name), RuntimeOptions(1))


def slot_graphs(folder: Path, **fake: Any) -> dict[str, LoadedGraph]:
    """All of them; ``fake`` is for those that write state."""
    return {name: slot_graph(folder, name, **(fake if CALLS[name][1] else {})) for name in SUMS}


def slot_spec(name: str) -> Graph:
    """The words of one of the graphs."""
    inputs: dict[str, Any] = {name: {**_tensor(state), "role": "state"} for name, state in CALLS[name][0]}
    inputs["noise"] = {"dtype": "float32", "shape": VALUE, "role": "input"}
    outputs: dict[str, Any] = {
        "next_x": {**_tensor("x"), "role": "state"},
        "next_count": {**_tensor("count"), "role": "state"},
        "more": {"dtype": "float32", "shape": SLICE, "role": "append", "axis": 1},
        "seen": {"dtype": "float32", "shape": VALUE, "role": "output"},
    }
    outputs = {output: outputs[output] for output in SUMS[name]}
    return Graph.model_validate(
        {"file": "g", "runtime": "fake", "buckets": (1, 2, 4), "inputs": inputs, "outputs": outputs}
    )


def noise(bucket: int, value: float = 0.25) -> dict[str, np.ndarray]:
    """The host input of a call."""
    return {"noise": np.full((bucket, *VALUE), value, np.float32)}


def _tensor(name: str) -> dict[str, Any]:
    return {"dtype": STATE[name].dtype, "shape": STATE[name].shape}
