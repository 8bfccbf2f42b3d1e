"""PT2: saved programs run by position; what does not fit is refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from brood.protocol.errors import BundleError, RuntimeFailed
from brood.protocol.manifest import Graph
from brood.runtimes.base import RuntimeOptions
from brood.runtimes.load import loader_of
from brood.runtimes.pt2 import Pt2Graph, load_pt2

pytestmark = pytest.mark.export

OPTIONS = RuntimeOptions(threads=1)


class Two(torch.nn.Module):
    """y = x·scale and whether it is finite."""

    def forward(self, x: Any, scale: Any) -> Any:
        y = x * scale[:, None]
        return y, torch.isfinite(y).flatten(1).all(1)


class Weights(torch.nn.Module):
    """Gives a weight as it is, and an input as it came."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1, 3))

    def forward(self, x: Any, scale: Any) -> Any:
        return x, torch.isfinite(scale)


def words() -> dict[str, Any]:
    return {
        "file": "graph.pt2",
        "runtime": "pt2",
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


def load(tmp_path: Path, module: Any, options: RuntimeOptions = OPTIONS, **changes: Any) -> Pt2Graph:
    path = tmp_path / "graph.pt2"
    rows = torch.export.Dim("rows", min=1, max=64)
    example = (torch.ones(3, 3), torch.ones(3))
    torch.export.save(torch.export.export(module.eval(), example, dynamic_shapes=({0: rows}, {0: rows})), path)
    return load_pt2(path, Graph.model_validate({**words(), **changes}), options)


@pytest.mark.parametrize("rows", [1, 2, 5])
def test_inputs_and_outputs_go_by_position(tmp_path: Path, rows: int) -> None:
    graph = load(tmp_path, Two())
    x = np.arange(rows * 3, dtype=np.float32).reshape(rows, 3)
    scale = np.full(rows, 2.0, np.float32)
    scale[-1] = np.nan
    x.flags.writeable = False
    outputs = graph({"scale": scale, "x": x})
    assert list(outputs) == ["y", "ok"]
    assert np.array_equal(outputs["y"], x * scale[:, None], equal_nan=True)
    assert outputs["ok"].tolist() == [True] * (rows - 1) + [False]


def test_outputs_are_in_memory_of_their_own(tmp_path: Path) -> None:
    graph, x = load(tmp_path, Weights()), np.ones((2, 3), np.float32)
    outputs = graph({"x": x, "scale": np.ones(2, np.float32)})
    outputs["y"][:] = 7.0
    assert (x == 1.0).all()


def test_a_wrong_shape_is_an_error_of_the_call(tmp_path: Path) -> None:
    with pytest.raises(RuntimeFailed, match="the graph call failed"):
        load(tmp_path, Two())({"x": np.ones((2, 4), np.float32), "scale": np.ones(2, np.float32)})


def test_it_is_found_by_its_name() -> None:
    assert loader_of("pt2") is load_pt2


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="device: 'cuda' is not allowed for pt2; allowed: cpu"):
        load(tmp_path, Two(), RuntimeOptions(threads=1, device="cuda"))
    with pytest.raises(BundleError, match=r"graph.pt2: takes 2 inputs, declared \['x'\]"):
        load(tmp_path, Two(), inputs={"x": words()["inputs"]["x"]})
    (tmp_path / "graph.pt2").write_text("no archive")
    with pytest.raises(BundleError, match=r"graph.pt2: torch refuses it"):
        load_pt2(tmp_path / "graph.pt2", Graph.model_validate(words()), OPTIONS)
