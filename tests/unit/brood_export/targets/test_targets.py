"""What holds for every target: the file runs at any number of rows, and tells nothing of the machine that wrote it."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn

import brood_export
from brood.protocol.manifest import Graph, GraphInput, GraphOutput
from brood.runtimes.base import LoadedGraph, RuntimeOptions
from brood.runtimes.load import loader_of
from brood_export.errors import StaticRows
from brood_export.families.base import StepGraph
from brood_export.targets import TARGETS
from brood_export.targets.base import draw_inputs, tensors
from brood_export.targets.onnx import quiet
from helpers.tiny_models import tiny_spec

pytestmark = pytest.mark.export

targets = pytest.mark.parametrize("runtime", list(TARGETS))


@pytest.fixture(autouse=True)
def _no_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiling takes a while, and is tried in test_pt2.py."""
    monkeypatch.setattr("brood_export.targets.pt2.compiler", lambda: None)


def exported(runtime: str, graph: StepGraph, folder: Path) -> tuple[Path, LoadedGraph]:
    target = TARGETS[runtime]
    path = folder / f"graph{target.suffix}"
    target.export(graph, path)
    words = Graph(
        file=path.name, runtime=target.runtime, buckets=(1,), inputs=dict(graph.inputs), outputs=dict(graph.outputs)
    )
    return path, loader_of(runtime)(path, words, RuntimeOptions(threads=1))


@targets
@pytest.mark.parametrize(("family", "name"), [("pixelrnn", "step"), ("diffusion", "step_guided")])
def test_a_graph_runs_at_numbers_of_rows_it_was_not_traced_with(
    runtime: str, family: str, name: str, tmp_path: Path
) -> None:
    graph = tiny_spec(family).graphs[name]
    _, loaded = exported(runtime, graph, tmp_path)
    for rows in (1, 2, 5, 32):
        inputs = draw_inputs(graph, rows, seed=rows)
        with torch.no_grad():
            original = graph.module(*tensors(graph, inputs))
        for name, expected in zip(graph.outputs, original, strict=True):
            np.testing.assert_allclose(loaded(inputs)[name], expected.numpy(), atol=1e-5, err_msg=name)


@targets
def test_a_file_holds_no_path_of_this_machine_and_repeats_byte_for_byte(runtime: str, tmp_path: Path) -> None:
    (tmp_path / "again").mkdir()
    first, _ = exported(runtime, tiny_spec("vae").graphs["encode"], tmp_path)
    content = first.read_bytes()
    for path in (Path(brood_export.__file__).parent, Path(torch.__file__).parent, Path.home(), tmp_path):
        assert str(path).encode() not in content
    if runtime == "onnx":  # TorchScript numbers its classes within a process
        again, _ = exported(runtime, tiny_spec("vae").graphs["encode"], tmp_path / "again")
        assert again.read_bytes() == content


class Forgets(nn.Module):
    """Takes the number of rows it is traced with for a constant."""

    def forward(self, x: Tensor) -> Tensor:
        return x[:0].sum() + torch.zeros(2)


def test_a_constant_rows_axis_is_refused(tmp_path: Path) -> None:
    graph = StepGraph(
        module=Forgets(),
        inputs={"x": GraphInput(dtype="float32", shape=(2,), role="input")},
        outputs={"y": GraphOutput(dtype="float32", role="output")},
        ranges={"x": (0.0, 1.0)},
    )
    with pytest.raises(StaticRows, match="y: the first axis is 2"):
        TARGETS["onnx"].export(graph, tmp_path / "graph.onnx")
    assert not (tmp_path / "graph.onnx").exists()


def test_onnx_files_have_no_notes_and_all_weights(tmp_path: Path) -> None:
    path, _ = exported("onnx", tiny_spec("gan").graphs["generate"], tmp_path)
    model = onnx.load(path, load_external_data=False)
    assert not any(node.metadata_props or node.doc_string for node in model.graph.node)
    assert all(tensor.data_location == onnx.TensorProto.DEFAULT for tensor in model.graph.initializer)


def test_torch_is_as_talkative_as_before() -> None:
    import logging

    logger = logging.getLogger("torch.onnx")
    before = logger.level
    with pytest.raises(ValueError, match="inside"), quiet():
        assert logger.level == logging.ERROR
        raise ValueError("inside")
    assert logger.level == before
