"""Whatever is run, written and read in whatever order, slots hold the bits that gather and scatter give."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from brood.protocol.errors import RuntimeFailed
from brood.runtimes.base import LoadedGraph
from brood.runtimes.slots import HostSlots, SlotRuntime
from helpers.naive_slots import NaiveSlots
from helpers.slot_graphs import CALLS, STATE, VALUE, slot_graphs
from helpers.slot_onnx import slot_onnx

CAPACITY = 5
FAILS_AT = 3  # a row whose count is that makes the call fail
Graphs = dict[str, LoadedGraph]


@dataclass(frozen=True)
class Run:
    graph: str
    slots: list[int]
    padding: int
    seed: int

    def on(self, runtime: SlotRuntime) -> dict[str, np.ndarray] | None:
        rows = np.random.default_rng(self.seed).standard_normal((len(self.slots), *VALUE)).astype(np.float32)
        noise = np.concatenate([rows, rows[:1].repeat(self.padding, axis=0)])
        try:
            return runtime.run(self.graph, self.slots, len(noise), {"noise": noise}, *CALLS[self.graph])
        except RuntimeFailed:
            return None


@dataclass(frozen=True)
class Write:
    slot: int
    name: str
    value: int

    def on(self, runtime: SlotRuntime) -> dict[str, np.ndarray] | None:
        runtime.write(self.slot, self.name, np.full(STATE[self.name].shape, self.value, STATE[self.name].dtype))
        return None


@dataclass(frozen=True)
class Read:
    slot: int
    name: str

    def on(self, runtime: SlotRuntime) -> dict[str, np.ndarray] | None:
        return {self.name: runtime.read(self.slot, self.name)}


SLOT, NAME = st.integers(0, CAPACITY - 1), st.sampled_from(sorted(STATE))
ROWS = st.one_of(
    st.sampled_from([[0, 1, 2], [2, 3, 4], [0, 3]]),  # often the same ones
    st.lists(SLOT, min_size=1, max_size=CAPACITY, unique=True),
)
RUN = st.builds(Run, st.sampled_from(["step", "half", "half", "look"]), ROWS, st.integers(0, 2), st.integers(0, 9))
WRITE = st.builds(Write, SLOT, NAME, st.integers(-2, FAILS_AT))
SCRIPT = st.lists(st.one_of(RUN, RUN, WRITE, st.builds(Read, SLOT, NAME)), max_size=25)


@pytest.fixture(scope="module", params=["fake", "onnx", "device"])
def graphs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Graphs:
    folder: Path = tmp_path_factory.mktemp("graphs")
    make: dict[str, Callable[[], Graphs]] = {
        "fake": lambda: slot_graphs(folder, fails_on={"input": "count", "equals": FAILS_AT}),
        "onnx": lambda: slot_onnx(None),
        "device": lambda: slot_onnx("cpu"),
    }
    return make[request.param]()


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(script=SCRIPT)
def test_slots_hold_the_bits_that_gather_and_scatter_give(graphs: Graphs, script: list[Run | Write | Read]) -> None:
    runtime, naive = HostSlots(graphs, STATE, CAPACITY), NaiveSlots(graphs, STATE, CAPACITY)
    for action in script:
        found, expected = action.on(runtime), action.on(naive)
        assert (found is None) == (expected is None)
        for name, value in (expected or {}).items():
            assert found is not None
            assert found[name].tobytes() == value.tobytes(), (action, name)
    for slot in range(CAPACITY):
        for name in STATE:
            assert runtime.read(slot, name).tobytes() == naive.read(slot, name).tobytes(), (slot, name)
