"""State addressed by slot: what is where after which call, and what is not copied."""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from brood.protocol.errors import RuntimeFailed
from brood.protocol.manifest import State
from brood.runtimes.base import Arrays, LoadedGraph
from brood.runtimes.slots import HostSlots
from helpers.slot_graphs import CALLS, LENGTH, STATE, noise, slot_graphs


class Watched:
    """A `LoadedGraph` that remembers its last inputs, and by weak reference, all it ever gave."""

    def __init__(self, graph: LoadedGraph) -> None:
        self.spec, self._graph = graph.spec, graph
        self.inputs: Arrays = {}
        self.outputs: Arrays = {}
        self._given: list[weakref.ref[np.ndarray]] = []

    def __call__(self, inputs: Arrays) -> dict[str, np.ndarray]:
        outputs = {name: np.array(found) for name, found in self._graph(inputs).items()}
        self.inputs, self.outputs = inputs, {name: found[:0] for name, found in outputs.items()}
        self._given += [weakref.ref(outputs["next_x"])] if "next_x" in outputs else []
        return outputs

    def fed_what_it_gave(self, before: Arrays) -> bool:
        """Whether x was the very memory of an earlier output."""
        return np.shares_memory(self.inputs["x"][:1], np.asarray(before["next_x"].base)[:1])

    def rows_alive(self) -> int:
        """Rows of x in all outputs that are still kept by somebody."""
        return sum(len(array) for array in (given() for given in self._given) if array is not None)


class Model:
    """`HostSlots` over watched graphs."""

    def __init__(self, folder: Path, capacity: int = 6, fake: Mapping[str, Any] | None = None) -> None:
        self.graphs = {name: Watched(graph) for name, graph in slot_graphs(folder, **(fake or {})).items()}
        self.slots = HostSlots(self.graphs, STATE, capacity)
        for slot in range(capacity):
            self.slots.write(slot, "x", np.full(3, slot, np.float32))
            self.slots.write(slot, "count", np.array(10 * slot))

    def run(self, graph: str, slots: list[int], bucket: int | None = None) -> Mapping[str, np.ndarray]:
        bucket = bucket or len(slots)
        return self.slots.run(graph, slots, bucket, noise(bucket), *CALLS[graph])

    def counts(self) -> list[int]:
        return [int(self.slots.read(slot, "count")) for slot in range(self.slots.capacity)]


def test_rows_are_written_run_and_read_by_slot(tmp_path: Path) -> None:
    model = Model(tmp_path)
    outputs = model.run("step", [3, 1])
    assert list(outputs) == ["seen"]
    assert outputs["seen"].tolist() == [[30.0] * 3, [10.0] * 3]
    assert model.slots.read(3, "x").tolist() == [0.5 * 3 + 0.25] * 3
    assert model.slots.read(1, "x").tolist() == [0.5 * 1 + 0.25] * 3
    assert model.slots.read(0, "x").tolist() == [0.0] * 3
    assert model.counts() == [0, 11, 20, 31, 40, 50]


def test_padding_repeats_the_first_row_is_dropped_and_writes_nowhere(tmp_path: Path) -> None:
    model = Model(tmp_path)
    for _ in range(2):
        outputs = model.run("half", [2, 4], 4)
        assert outputs == {}
        found = model.graphs["half"].inputs["count"].tolist()
        assert found[2:] == [found[0]] * 2
    model.slots.write(2, "count", np.array(7))
    model.run("half", [2, 4], 4)
    assert model.graphs["half"].inputs["count"].tolist() == [7, 42, 7, 7]
    assert model.counts() == [0, 10, 8, 30, 43, 50]
    for _ in range(2):
        model.run("step", [2, 4], 4)
    grown = model.graphs["step"].inputs["grown"]
    assert (grown[2:] == grown[0]).all()
    assert (grown[0] != grown[1]).any()


def test_a_read_is_a_copy(tmp_path: Path) -> None:
    model = Model(tmp_path)
    for _ in range(2):
        model.slots.read(0, "x")[:] = 9
        assert model.slots.read(0, "x").tolist() != [9.0] * 3
        model.run("half", [0, 1])


def test_the_same_rows_are_fed_what_they_gave_even_if_one_began_anew(tmp_path: Path) -> None:
    model, half = Model(tmp_path), "half"
    model.run(half, [0, 2, 5])
    for _ in range(3):
        before = model.graphs[half].outputs
        model.slots.write(2, "x", np.full(3, 9, np.float32))
        model.run(half, [0, 2, 5])
        assert model.graphs[half].fed_what_it_gave(before)
        assert model.graphs[half].inputs["x"][1].tolist() == [9.0] * 3
    before = model.graphs[half].outputs
    model.run(half, [2, 0, 5])
    assert not model.graphs[half].fed_what_it_gave(before)


def test_two_batches_in_turn_leave_each_other_alone(tmp_path: Path) -> None:
    model, half = Model(tmp_path), "half"
    before: dict[int, Arrays] = {}
    for _ in range(3):
        for first in (0, 3):
            model.run(half, [first, first + 2])
            if first in before:
                assert model.graphs[half].fed_what_it_gave(before[first])
            before[first] = model.graphs[half].outputs


def test_a_call_that_writes_nothing_leaves_batches_together(tmp_path: Path) -> None:
    model, half = Model(tmp_path), "half"
    model.run(half, [0, 2, 5])
    before = model.graphs[half].outputs
    seen = model.run("look", [4, 2], 4)["seen"]
    assert seen[:, 0].tolist() == [4.25, 0.5 * 2 + 0.25 + 0.25]
    assert model.graphs["look"].inputs["x"][:, 0].tolist() == [4.0, 1.25, 4.0, 4.0]
    model.run(half, [0, 2, 5])
    assert model.graphs[half].fed_what_it_gave(before)


def test_what_a_graph_only_reads_is_not_gathered_again_and_slots_in_a_run_not_at_all(tmp_path: Path) -> None:
    model, step = Model(tmp_path), model_inputs("step")
    model.slots.write(5, "told", np.ones(3, np.float32))
    for slots in ([5, 0, 3], [1, 2]):
        model.run("step", slots)
        first = model.graphs["step"].inputs
        model.run("step", slots)
        for name in ("told", "grown"):
            assert np.shares_memory(model.graphs["step"].inputs[name], first[name])
    assert step >= {"told", "grown"}
    model.run("step", [2, 3])
    assert np.shares_memory(model.graphs["step"].inputs["told"], first["told"])


def model_inputs(graph: str) -> set[str]:
    return {name for name, _ in CALLS[graph][0]}


def test_a_graph_cannot_change_its_inputs(tmp_path: Path) -> None:
    model = Model(tmp_path)
    for _ in range(2):
        model.run("step", [0, 1])
        assert not any(model.graphs["step"].inputs[name].flags.writeable for name in model_inputs("step"))


@pytest.mark.parametrize("how", ["fails_on", "wrong_shape_on"])
@pytest.mark.parametrize("slots", [[1, 2], [2, 1], [1, 3]], ids=["same", "turned", "other"])
def test_a_failed_call_changes_no_state(tmp_path: Path, how: str, slots: list[int]) -> None:
    model = Model(tmp_path, fake={how: {"input": "count", "equals": 5}})
    model.run("step", [1, 2])
    model.slots.write(1, "count", np.array(5))
    before = {(slot, name): model.slots.read(slot, name) for slot in range(6) for name in STATE}
    for graph in ("step", "half"):
        with pytest.raises(RuntimeFailed):
            model.run(graph, slots)
    for (slot, name), value in before.items():
        assert np.array_equal(model.slots.read(slot, name), value)
    model.slots.write(1, "count", np.array(6))
    model.run("step", [1, 2])
    assert model.counts() == [0, 7, 22, 30, 40, 50]


def test_a_state_grows_at_the_rows_own_place_until_it_is_full(tmp_path: Path) -> None:
    model = Model(tmp_path)
    for slots in ([0, 1], [0, 1], [1, 0], [0]):
        model.run("step", slots, 2)
    grown = model.slots.read(0, "grown")
    expected = np.zeros(LENGTH, np.float32)
    for step in range(LENGTH):
        expected[step] = expected.sum(dtype=np.float64) + step + 0.1
    assert np.allclose(grown, expected[:, None])
    assert (model.slots.read(1, "grown")[:, 3] == 0).all()
    with pytest.raises(RuntimeFailed, match=f"state 'grown' is full: {LENGTH} along axis 1"):
        model.run("step", [0, 1])
    assert model.counts()[:2] == [4, 13]
    model.slots.write(0, "grown", np.zeros((2, LENGTH, 3), np.float32))
    model.run("step", [0, 1])
    assert model.counts()[:2] == [5, 14]
    assert (model.slots.read(0, "grown")[:, 1:] == 0).all()


def test_a_state_grows_even_if_the_call_does_not_read_it(tmp_path: Path) -> None:
    slots = HostSlots(slot_graphs(tmp_path), STATE, 2)
    reads, writes = CALLS["step"]
    blind = tuple(pair for pair in reads if pair[1] != "grown")
    given = {**noise(1), "grown": np.ones((1, 2, LENGTH, 3), np.float32)}
    for _ in range(2):
        slots.run("step", [1], 1, given, blind, writes)
    assert np.allclose(slots.read(1, "grown")[0, :, 0], [LENGTH + 0.1, LENGTH + 1.1, 0, 0])


def test_kept_batches_take_no_more_rows_than_there_are_slots(tmp_path: Path) -> None:
    model = Model(tmp_path, capacity=6)
    for _ in range(3):
        for slots, bucket in (([0, 1, 2], 4), ([3], 1), ([4], 2), ([5], 2), ([3, 4], 2), ([5, 0], 4)):
            model.run("half", slots, bucket)
            assert bucket <= model.graphs["half"].rows_alive() <= 6
    assert model.counts() == [6, 13, 23, 36, 46, 56]


def test_a_dtype_is_the_states_and_a_shape_must_be(tmp_path: Path) -> None:
    graphs = slot_graphs(tmp_path)
    cast = HostSlots(graphs, {**STATE, "count": State(dtype="float32", init="zeros")}, 2)
    cast.run("half", [0], 1, {**noise(1), "count": np.array([4])}, (("x", "x"),), CALLS["half"][1])
    assert cast.read(0, "count").dtype == np.float32
    assert cast.read(0, "count") == 5.0
    narrow = HostSlots(graphs, {**STATE, "x": State(dtype="float32", shape=(2,), init="zeros")}, 2)
    with pytest.raises(RuntimeFailed, match=r"graph output 'next_x' is \[3\], but state 'x' takes \[2\]"):
        narrow.run("half", [0], 1, noise(1), *CALLS["half"])
    flat = HostSlots(graphs, {**STATE, "grown": State(dtype="float32", shape=(2, LENGTH, 2), init="zeros")}, 2)
    with pytest.raises(RuntimeFailed, match=r"'more' is \[2, 1, 3\], but state 'grown' takes \[2, 1, 2\]"):
        flat.run("step", [0], 1, noise(1), *CALLS["step"])


def test_the_state_of_all_slots_is_reported(tmp_path: Path) -> None:
    row = 3 * 4 + 8 + 3 * 4 + 2 * LENGTH * 3 * 4
    assert Model(tmp_path, capacity=6).slots.state_bytes == 2 * 6 * row
