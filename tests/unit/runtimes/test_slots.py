"""State in main memory, addressed by slot."""

from pathlib import Path

import numpy as np
import pytest

from brood.host.loading import model_state
from brood.protocol.errors import RuntimeFailed
from brood.runtimes.base import RuntimeOptions
from brood.runtimes.load import load_graphs
from brood.runtimes.slots import HostSlots
from brood.store.store import read_bundle
from helpers.bundles import steps_bundle

READS, WRITES = (("x", "x"), ("count", "count")), (("x", "x"), ("count", "count"))


def slots(directory: Path, capacity: int = 4) -> HostSlots:
    bundle = read_bundle(directory)
    graphs = load_graphs(bundle.directory, bundle.manifest, RuntimeOptions(1))
    return HostSlots(graphs, model_state(bundle.manifest), capacity)


def host(bucket: int) -> dict[str, np.ndarray]:
    return {
        "noise": np.full((bucket, 1, 4, 4), 0.25, np.float32),
        "temperature": np.zeros(bucket, np.float32),
    }


def test_rows_are_written_run_and_read_by_slot(tmp_path: Path) -> None:
    runtime = slots(steps_bundle(tmp_path))
    for slot in range(4):
        runtime.write(slot, "x", np.full((1, 4, 4), slot, np.float32))
        runtime.write(slot, "count", np.array(10 * slot))
    outputs = runtime.run("step", [3, 1], 2, host(2), READS, WRITES)
    assert outputs["x"].shape == (2, 1, 4, 4)
    assert runtime.read(3, "x")[0, 0, 0] == 0.5 * 3 + 0.25
    assert runtime.read(1, "x")[0, 0, 0] == 0.5 * 1 + 0.25
    assert runtime.read(0, "x")[0, 0, 0] == 0.0
    assert [int(runtime.read(slot, "count")) for slot in range(4)] == [0, 11, 20, 31]


def test_padding_is_dropped_and_writes_nowhere(tmp_path: Path) -> None:
    runtime = slots(steps_bundle(tmp_path))
    outputs = runtime.run("step", [2], 4, host(4), READS, WRITES)
    assert all(len(found) == 1 for found in outputs.values())
    assert [int(runtime.read(slot, "count")) for slot in range(4)] == [0, 0, 1, 0]


def test_a_read_is_a_copy(tmp_path: Path) -> None:
    runtime = slots(steps_bundle(tmp_path))
    runtime.read(0, "x")[:] = 9
    assert runtime.read(0, "x")[0, 0, 0] == 0


def test_a_failed_call_changes_no_state(tmp_path: Path) -> None:
    runtime = slots(steps_bundle(tmp_path, fails_on={"input": "count", "equals": 5}))
    runtime.write(0, "count", np.array(5))
    runtime.write(1, "count", np.array(1))
    with pytest.raises(RuntimeFailed):
        runtime.run("step", [1, 0], 2, host(2), READS, WRITES)
    assert [int(runtime.read(slot, "count")) for slot in range(2)] == [5, 1]
