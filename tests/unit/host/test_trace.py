"""What is kept of the calls that make an example."""

from __future__ import annotations

import numpy as np

from brood.host.trace import KEPT, Call, Traced, usable
from brood.protocol.manifest import Graph, GraphInput, GraphOutput
from brood.runtimes.base import Arrays


class Doubling:
    """A graph that doubles a number."""

    spec = Graph(
        file="graph.json",
        runtime="fake",
        buckets=(1,),
        inputs={"x": GraphInput(dtype="float32", role="input")},
        outputs={"y": GraphOutput(dtype="float32", role="output")},
    )

    def __call__(self, inputs: Arrays) -> dict[str, np.ndarray]:
        """See `LoadedGraph`."""
        return {"y": 2 * inputs["x"]}


def test_of_very_many_calls_some_keep_their_inputs_evenly_and_all_their_outputs() -> None:
    calls: list[Call] = []
    traced = Traced("doubling", Doubling(), 1, calls)
    for number in range(5 * KEPT):
        traced({"x": np.full(1, number, np.float32)})
    assert [float(call.outputs["y"][0]) for call in calls] == [2 * number for number in range(5 * KEPT)]
    kept = [float(call.inputs["x"][0]) for call in usable(calls)]
    assert KEPT // 2 < len(kept) <= KEPT
    assert np.unique(np.diff(kept)).tolist() == [8.0]
    assert kept[0] == 0
