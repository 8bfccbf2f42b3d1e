"""ONNX Runtime: graphs run, graphs that are not what the manifest says are refused, errors are ours."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from brood.protocol.errors import BundleError, RuntimeFailed
from brood.protocol.manifest import Graph
from brood.runtimes.base import RuntimeOptions
from brood.runtimes.onnx import load_onnx
from brood.runtimes.onnx_graph import OnnxGraph
from brood.runtimes.onnx_session import check_distributions
from helpers.onnx_models import model, words

OPTIONS = RuntimeOptions(threads=1)
WEIGHT = np.arange(3, dtype=np.float32)


def external(location: str) -> TensorProto:
    """The weight as a tensor whose contents lie in another file."""
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[3], data_location=TensorProto.EXTERNAL)
    for key, value in {"location": location, "offset": "0", "length": "12"}.items():
        tensor.external_data.add(key=key, value=value)
    return tensor


def load(tmp_path: Path, content: bytes, options: RuntimeOptions = OPTIONS, **changes: Any) -> OnnxGraph:
    path = tmp_path / "graph.onnx"
    path.write_bytes(content)
    return load_onnx(path, Graph.model_validate({**words(), **changes}), options)


@pytest.mark.parametrize("rows", [1, 2, 5])
def test_any_number_of_rows_runs(tmp_path: Path, rows: int) -> None:
    graph = load(tmp_path, model())
    x = np.random.default_rng(0).standard_normal((rows, 3)).astype(np.float32)
    label = np.arange(rows, dtype=np.int64)
    outputs = graph({"x": x, "label": label})
    assert np.array_equal(outputs["y"], x * WEIGHT)
    assert np.array_equal(outputs["ok"], label > 0)
    assert outputs["ok"].dtype == np.bool_


@pytest.mark.parametrize(
    "inputs",
    [
        {"x": np.zeros((1, 4), np.float32), "label": np.zeros(1, np.int64)},
        {"x": np.zeros((1, 3), np.float64), "label": np.zeros(1, np.int64)},
        {"x": np.zeros((1, 3), np.float32)},
        {"x": np.zeros((2, 3), np.float32), "label": np.zeros(1, np.int64)},
    ],
    ids=["shape", "dtype", "missing", "rows"],
)
def test_a_bad_call_is_our_error_and_harms_no_later_one(tmp_path: Path, inputs: dict[str, np.ndarray]) -> None:
    graph = load(tmp_path, model())
    with pytest.raises(RuntimeFailed) as raised:
        graph(inputs)
    assert "\n" not in raised.value.message
    assert graph({"x": np.ones((1, 3), np.float32), "label": np.ones(1, np.int64)})["ok"].all()


@pytest.mark.parametrize(
    ("content", "changes", "reason"),
    [
        (model(rows=1), {}, r"input 'x' is \[1, 3\]; its first axis must be rows, and dynamic"),
        (model(columns=4), {}, r"input 'x' is \['rows', 4\], declared \['rows', 3\]"),
        (model(), {"inputs": {"x": words()["inputs"]["x"]}}, r"inputs are \['label', 'x'\], declared \['x'\]"),
        (model(), {"outputs": {"z": words()["outputs"]["y"]}}, r"outputs are \['ok', 'y'\], declared \['z'\]"),
        (
            model(),
            {"inputs": {**words()["inputs"], "label": {"dtype": "int32", "role": "param"}}},
            "input 'label' is int64, declared int32",
        ),
        (b"not a model at all", {}, "graph.onnx: not an ONNX file"),
        (b"", {}, "graph.onnx: ONNX Runtime refuses it"),
        (model()[:-40], {}, "graph.onnx: "),
    ],
    ids=["static", "dim", "input", "output", "dtype", "no-protobuf", "empty", "cut"],
)
def test_a_graph_that_is_not_what_is_declared_is_refused(
    tmp_path: Path, content: bytes, changes: dict[str, Any], reason: str
) -> None:
    with pytest.raises(BundleError, match=reason):
        load(tmp_path, content, **changes)


def single(rows: Any) -> bytes:
    """y = -x with a rows axis of that size."""
    graph = helper.make_graph(
        [helper.make_node("Neg", ["x"], ["y"])],
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [rows, 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [rows, 3])],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    content: bytes = made.SerializeToString()
    return content


def single_words(buckets: tuple[int, ...]) -> dict[str, Any]:
    spec = {"dtype": "float32", "shape": (3,)}
    return {
        "buckets": buckets,
        "inputs": {"x": {**spec, "role": "input"}},
        "outputs": {"y": {**spec, "role": "output"}},
    }


def test_a_rows_axis_fixed_to_one_runs_one_row_a_call(tmp_path: Path) -> None:
    graph = load(tmp_path, single(1), **single_words((1,)))
    np.testing.assert_array_equal(graph({"x": np.ones((1, 3), np.float32)})["y"], -np.ones((1, 3), np.float32))
    with pytest.raises(BundleError, match="first axis must be rows"):
        load(tmp_path, single(1), **single_words((1, 2)))
    with pytest.raises(BundleError, match="first axis must be rows"):
        load(tmp_path, single(2), **single_words((1,)))


@pytest.mark.parametrize("constant", [False, True], ids=["initializer", "constant"])
@pytest.mark.parametrize("location", ["weights.bin", "../weights.bin", "/etc/hostname"])
def test_external_data_is_refused_even_when_it_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, location: str, constant: bool
) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    for directory in (tmp_path, inside):
        (directory / "weights.bin").write_bytes(WEIGHT.tobytes())
    monkeypatch.chdir(inside)
    with pytest.raises(BundleError, match="tensor 'w' has external data"):
        load(inside, model(weight=external(location), constant=constant))


def test_a_device_that_is_not_there_is_an_error_and_never_the_cpu(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="device 'cuda' needs ONNX Runtime's CUDAExecutionProvider"):
        load(tmp_path, model(), RuntimeOptions(threads=1, device="cuda"))
    with pytest.raises(BundleError, match="device: 'tpu' is not allowed; allowed: cpu, cuda"):
        load(tmp_path, model(), RuntimeOptions(threads=1, device="tpu"))


def test_exactly_one_distribution_may_bring_the_module() -> None:
    check_distributions(["onnxruntime"])
    check_distributions(["onnxruntime-gpu"])
    with pytest.raises(BundleError, match=r"not installed; install 'brood\[cpu\]' or 'brood\[gpu\]'"):
        check_distributions([])
    with pytest.raises(BundleError, match="both onnxruntime and onnxruntime-gpu are installed"):
        check_distributions(["onnxruntime", "onnxruntime-gpu"])


def test_neither_torch_nor_onnx_is_imported_to_serve(tmp_path: Path) -> None:
    load(tmp_path, model())
    spec = Graph.model_validate(words()).model_dump_json()
    program = f"""
import sys
from pathlib import Path
import numpy as np
from brood.protocol.manifest import Graph
from brood.runtimes.base import RuntimeOptions
from brood.runtimes.load import loader_of
graph = loader_of("onnx")(Path(sys.argv[1]), Graph.model_validate_json({spec!r}), RuntimeOptions(threads=1))
graph(dict(x=np.ones((2, 3), np.float32), label=np.ones(2, np.int64)))
assert not {{"torch", "onnx"}} & set(sys.modules), "imported"
"""
    subprocess.run([sys.executable, "-c", program, str(tmp_path / "graph.onnx")], check=True, timeout=60)
