"""Calls whose tensors stay where they are, as a recording needs them; tried on the CPU as the device."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from brood.protocol.errors import RuntimeFailed
from brood.runtimes.base import RuntimeOptions, on_host
from brood.runtimes.onnx import load_on
from brood.runtimes.onnx_captured import RECORDING, OnnxCapturedGraph
from brood.runtimes.onnx_graph import OnnxDeviceGraph, OnnxTensor
from brood.runtimes.slots import HostSlots
from helpers.gpu import gpu_machine
from helpers.slot_graphs import CALLS, STATE, noise, slot_spec
from helpers.slot_onnx import HERE, slot_model, slot_onnx


class Ort:
    """The module `onnxruntime`, with a copy within the memory that is the device here."""

    OrtValue, RunOptions = onnxruntime.OrtValue, onnxruntime.RunOptions

    @staticmethod
    def copy_tensors(sources: list[Any], targets: list[Any]) -> None:
        for source, target in zip(sources, targets, strict=True):
            target.update_inplace(source.numpy())


class Session:
    """A session that notes its bound runs."""

    def __init__(self, real: Any) -> None:
        self._real = real
        self.runs: list[tuple[int, str]] = []

    def run_with_iobinding(self, binding: Any, options: Any) -> None:
        self.runs.append((id(binding), options.get_run_config_entry(RECORDING)))
        self._real.run_with_iobinding(binding, options)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


@pytest.fixture
def plain() -> OnnxDeviceGraph:
    graph = slot_onnx("cpu")["half"]
    assert isinstance(graph, OnnxDeviceGraph)
    return graph


@pytest.fixture
def captured(plain: OnnxDeviceGraph) -> OnnxCapturedGraph:
    return OnnxCapturedGraph(Ort, plain.spec, Session(plain._session), HERE, "cpu", 0)


def inputs(rows: int, seed: int = 0) -> dict[str, Any]:
    x = np.random.default_rng(seed).standard_normal((rows, 3)).astype(np.float32)
    return {"x": x, "count": np.arange(rows), **noise(rows)}


def test_each_number_of_rows_has_one_recording(plain: OnnxDeviceGraph, captured: OnnxCapturedGraph) -> None:
    for seed, rows in enumerate((1, 2, 1, 2, 2)):
        expected, found = plain(inputs(rows, seed)), captured(inputs(rows, seed))
        assert {name: array.tolist() for name, array in found.items()} == {
            name: array.tolist() for name, array in expected.items()
        }
    runs = captured._session.runs
    assert [name for _, name in runs] == ["1", "2", "1", "2", "2"]
    assert len({binding for binding, _ in runs}) == 2


def test_what_stays_is_not_written_over_by_the_next_call(captured: OnnxCapturedGraph) -> None:
    first = captured.on_device(inputs(2, 1), {"next_x"})["next_x"]
    assert isinstance(first, OnnxTensor)
    kept = captured(inputs(2, 1))["next_x"].copy()
    captured.on_device({**inputs(2, 2), "x": first}, {"next_x"})
    assert np.array_equal(on_host(first), kept)


def test_slots_make_the_same_with_and_without(plain: OnnxDeviceGraph, captured: OnnxCapturedGraph) -> None:
    one, other = (HostSlots({"half": graph}, STATE, 4) for graph in (plain, captured))
    for rows in ([0, 2], [0, 2], [1, 3], [0, 2], [2]):
        for slots in (one, other):
            slots.run("half", rows, len(rows), noise(len(rows)), *CALLS["half"])
    for slot in range(4):
        assert np.array_equal(one.read(slot, "x"), other.read(slot, "x"))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"x": np.zeros((2, 4), np.float32)}, r"input 'x' is float32\[2, 4\], declared float32\[2, 3\]"),
        ({"x": np.zeros((2, 3), np.float64)}, r"input 'x' is float64\[2, 3\], declared float32\[2, 3\]"),
        ({"y": np.zeros((2, 3), np.float32)}, r"inputs are .*'y'.*, declared"),
    ],
    ids=["shape", "dtype", "name"],
)
def test_a_bad_call_is_our_error_and_harms_no_later_one(
    captured: OnnxCapturedGraph, changes: dict[str, np.ndarray], words: str
) -> None:
    with pytest.raises(RuntimeFailed, match=words):
        captured({**inputs(2), **changes})
    assert captured(inputs(2))["next_count"].shape == (2,)


def test_the_option_chooses_it(tmp_path: Path) -> None:
    spec, path = slot_spec("half"), tmp_path / "half.onnx"
    path.write_bytes(slot_model("half"))
    machine = gpu_machine()
    for options, kind in (({}, OnnxDeviceGraph), ({"enable_cuda_graph": "1"}, OnnxCapturedGraph)):
        loaded = load_on(machine, path, spec, RuntimeOptions(1, device="cuda:1", provider_options=options))
        assert type(loaded) is kind
    assert machine.ort.opened[-1][0][1]["enable_cuda_graph"] == "1"
