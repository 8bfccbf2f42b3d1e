"""TorchScript: traced and scripted modules run by position; what does not fit is refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from brood.protocol.errors import BundleError, RuntimeFailed
from brood.protocol.manifest import Graph
from brood.runtimes.base import Placement, RuntimeOptions
from brood.runtimes.torchscript import TorchScriptGraph, load_torchscript

pytestmark = [pytest.mark.export, pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")]

OPTIONS = RuntimeOptions(threads=1)


class Two(torch.nn.Module):
    """y = x·scale and whether it is finite."""

    def forward(self, x: Any, scale: Any) -> Any:
        y = x * scale[:, None]
        return y, torch.isfinite(y).flatten(1).all(1)


class One(torch.nn.Module):
    def forward(self, x: Any, scale: Any) -> Any:
        return x * scale[:, None]


class Same(torch.nn.Module):
    """An input as it came, twice."""

    def forward(self, x: Any, scale: Any) -> Any:
        return x, x


class Doubling(torch.nn.Module):
    """Changes its input."""

    def forward(self, x: Any, scale: Any) -> Any:
        return x.mul_(2.0), x > 1.0


def words() -> dict[str, Any]:
    return {
        "file": "graph.pt",
        "runtime": "torchscript",
        "buckets": (1,),
        "inputs": {
            "x": {"dtype": "float32", "shape": (3,), "role": "input"},
            "scale": {"dtype": "float32", "role": "param"},
        },
        "outputs": {
            "y": {"dtype": "float32", "shape": (3,), "role": "output"},
            "ok": {"dtype": "bool", "role": "ok"},
        },
    }


def load(tmp_path: Path, module: Any, options: RuntimeOptions = OPTIONS, **changes: Any) -> TorchScriptGraph:
    path = tmp_path / "graph.pt"
    trace: Any = torch.jit.trace
    trace(module.eval(), (torch.ones(2, 3), torch.ones(2))).save(str(path))
    return load_torchscript(path, Graph.model_validate({**words(), **changes}), options)


@pytest.mark.parametrize("rows", [1, 3])
def test_inputs_and_outputs_go_by_position(tmp_path: Path, rows: int) -> None:
    graph = load(tmp_path, Two())
    x = np.arange(rows * 3, dtype=np.float32).reshape(rows, 3)
    scale = np.full(rows, 2.0, np.float32)
    scale[-1] = np.nan
    scale.flags.writeable = False
    outputs = graph({"scale": scale, "x": x})
    assert list(outputs) == ["y", "ok"]
    assert np.array_equal(outputs["y"], x * scale[:, None], equal_nan=True)
    assert outputs["ok"].tolist() == [True] * (rows - 1) + [False]


class Half(torch.nn.Module):
    """Has weights of its own type."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("weight", torch.ones(3, dtype=torch.float16))
        self.register_buffer("count", torch.ones(99, dtype=torch.int64))

    def forward(self, x: Any, scale: Any) -> Any:
        return x * self.weight, x > 1.0


def test_a_graph_tells_what_runs_it_and_in_which_precision(tmp_path: Path) -> None:
    assert load(tmp_path, Two()).placement == Placement("torch", "float32")
    assert load(tmp_path, Half()).placement == Placement("torch", "float16")


def test_a_single_output_needs_no_tuple(tmp_path: Path) -> None:
    graph = load(tmp_path, One(), outputs={"y": words()["outputs"]["y"]})
    outputs = graph({"x": np.ones((2, 3), np.float32), "scale": np.ones(2, np.float32)})
    assert outputs["y"].tolist() == [[1.0] * 3] * 2


def test_the_tenth_call_gives_the_bits_of_the_first(tmp_path: Path) -> None:
    graph = load(tmp_path, Two())
    inputs = {"x": np.linspace(0, 1, 6, dtype=np.float32).reshape(2, 3), "scale": np.full(2, 0.3, np.float32)}
    first = graph(inputs)["y"]
    assert all(np.array_equal(graph(inputs)["y"], first) for _ in range(9))


@pytest.mark.parametrize(
    ("inputs", "reason"),
    [
        ({"x": np.ones((2, 3), np.float32)}, "scale"),
        ({"x": np.ones((2, 3), np.float32), "scale": np.ones(5, np.float32)}, "must match the size"),
        ({"x": np.ones((2, 4), np.float32), "scale": np.ones(2, np.float32)}, r"declared float32\[2, 3\]"),
    ],
    ids=["missing", "rows", "shape"],
)
def test_a_bad_call_is_our_error(tmp_path: Path, inputs: dict[str, np.ndarray], reason: str) -> None:
    graph = load(tmp_path, Two())
    with pytest.raises(RuntimeFailed, match=reason):
        graph(inputs)


def test_a_wrong_number_of_outputs_is_our_error(tmp_path: Path) -> None:
    graph = load(tmp_path, One())
    with pytest.raises(RuntimeFailed, match="gave 1 outputs, declared 2"):
        graph({"x": np.ones((2, 3), np.float32), "scale": np.ones(2, np.float32)})


def test_inputs_in_another_order_are_refused(tmp_path: Path) -> None:
    swapped = dict(reversed(words()["inputs"].items()))
    with pytest.raises(BundleError, match=r"inputs are \['x', 'scale'\] in this order, declared \['scale', 'x'\]"):
        load(tmp_path, Two(), inputs=swapped)


def test_another_number_of_inputs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"inputs are \['x', 'scale'\]"):
        load(tmp_path, Two(), inputs={"x": words()["inputs"]["x"]})


def test_another_device_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="device: 'cuda' is not allowed for TorchScript; allowed: cpu"):
        load(tmp_path, Two(), RuntimeOptions(threads=1, device="cuda"))


def test_a_file_that_is_not_torchscript_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "graph.pt"
    path.write_bytes(b"not a module")
    with pytest.raises(BundleError, match=r"graph\.pt: torch refuses it"):
        load_torchscript(path, Graph.model_validate(words()), OPTIONS)


def test_outputs_have_memory_of_their_own(tmp_path: Path) -> None:
    graph = load(tmp_path, Same(), outputs={name: words()["outputs"]["y"] for name in ("y", "z")})
    x = np.ones((2, 3), np.float32)
    outputs = graph({"x": x, "scale": np.ones(2, np.float32)})
    outputs["y"][:] = 5.0
    assert (outputs["z"] == 1.0).all()
    assert (x == 1.0).all()


def test_an_input_that_must_not_change_does_not(tmp_path: Path) -> None:
    wide = {**words()["outputs"], "ok": {"dtype": "bool", "shape": (3,), "role": "output"}}
    graph = load(tmp_path, Doubling(), outputs=wide)
    x = np.ones((2, 3), np.float32)
    x.flags.writeable = False
    assert (graph({"x": x, "scale": np.ones(2, np.float32)})["y"] == 2.0).all()
    assert (x == 1.0).all()
