"""ONNX graphs whose state stays on a device, tried on the CPU as the device."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from brood.protocol.errors import RuntimeFailed
from brood.runtimes.base import DeviceGraph, Tensor, on_host
from brood.runtimes.onnx_graph import OnnxDeviceGraph, OnnxTensor
from brood.runtimes.slots import HostSlots
from helpers.slot_graphs import CALLS, STATE, noise
from helpers.slot_onnx import HERE, slot_onnx


def device_graph(name: str) -> OnnxDeviceGraph:
    graph = slot_onnx("cpu")[name]
    assert isinstance(graph, OnnxDeviceGraph)
    return graph


def inputs(rows: int) -> dict[str, Any]:
    x = np.random.default_rng(0).standard_normal((rows, 3)).astype(np.float32)
    return {"x": x, "count": np.arange(rows), **noise(rows)}


def test_only_a_device_is_a_device() -> None:
    assert isinstance(slot_onnx("cpu")["half"], DeviceGraph)
    assert not isinstance(slot_onnx(None)["half"], DeviceGraph)


def test_outputs_that_stay_are_inputs_of_the_next_call() -> None:
    graph, given = device_graph("half"), inputs(2)
    outputs = graph.on_device(given, {"next_x"})
    stayed = outputs["next_x"]
    assert isinstance(stayed, OnnxTensor)
    assert stayed.shape == (2, 3)
    assert stayed.dtype == np.dtype("float32")
    assert isinstance(outputs["next_count"], np.ndarray)
    expected = graph(given)
    assert np.array_equal(stayed.numpy(), expected["next_x"])
    assert not stayed.numpy().flags.writeable
    again = graph.on_device({**given, "x": stayed}, {"next_x"})
    assert np.array_equal(on_host(again["next_x"]), graph({**given, "x": expected["next_x"]})["next_x"])
    assert np.array_equal(stayed.numpy(), expected["next_x"])


@pytest.mark.parametrize(
    "changes",
    [{"x": np.zeros((2, 4), np.float32)}, {"x": np.zeros((2, 3), np.float64)}, {"y": np.zeros((2, 3), np.float32)}],
    ids=["shape", "dtype", "name"],
)
def test_a_bad_call_is_our_error_and_harms_no_later_one(changes: dict[str, np.ndarray]) -> None:
    graph = device_graph("half")
    with pytest.raises(RuntimeFailed, match="the graph call failed"):
        graph.on_device({**inputs(2), **changes}, {"next_x"})
    assert graph.on_device(inputs(2), {"next_x"})["next_count"].shape == (2,)


class Spied(OnnxDeviceGraph):
    """Remembers what it was fed."""

    fed: dict[str, Tensor]

    def on_device(self, inputs: Any, stay: Any) -> dict[str, Tensor]:
        self.fed = dict(inputs)
        return super().on_device(inputs, stay)


def test_state_stays_on_the_device_while_the_rows_are_the_same(tmp_path: Path) -> None:
    plain = device_graph("half")
    graph = Spied(plain.spec, plain._session, HERE, "cpu", 0)
    slots = HostSlots({"half": graph}, STATE, 4)
    on_device = []
    for rows in ([0, 2], [0, 2], [0, 2], [2], [0, 2]):
        slots.run("half", rows, len(rows), noise(len(rows)), *CALLS["half"])
        on_device.append(isinstance(graph.fed["x"], OnnxTensor))
    assert on_device == [False, True, True, False, False]
    slots.run("half", [0, 2], 2, noise(2), *CALLS["half"])
    slots.write(0, "x", np.zeros(3, np.float32))
    slots.run("half", [0, 2], 2, noise(2), *CALLS["half"])
    assert not isinstance(graph.fed["x"], OnnxTensor)
    assert isinstance(graph.fed["count"], OnnxTensor)
    assert slots.read(0, "x").tolist() == [0.25] * 3
    assert slots.read(2, "count") == 7
