"""Any ONNX graph as a bundle: its own names and types, or the reason why it cannot be one."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from onnx import NodeProto, TensorProto, ValueInfoProto, helper

import brood
from brood.program import compile_program, run_row
from brood.protocol.errors import BundleError
from brood.protocol.manifest import Manifest
from brood.runtimes.base import RuntimeOptions
from brood.runtimes.load import load_graphs
from brood.sampling.noise import noise
from brood.store.files import read_manifest, write_manifest
from brood.store.golden import GoldenRun, write_golden
from brood.store.store import read_bundle
from brood_export import BundleExists
from brood_export.cli import main
from brood_export.errors import NotImportable
from brood_export.functions import FunctionTitle, import_onnx
from brood_export.words import BUCKETS, hashed

pytestmark = pytest.mark.export

FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64
MATRIX = np.arange(6, dtype=np.float32).reshape(3, 2)
Axes = list[str | int | None] | None


def tensor(name: str, kind: int, axes: Axes) -> ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, axes)


def dense(name: str = "Input:0", out: str = "head/logits", rows: str | int | None = "N") -> list[Any]:
    """Nodes, inputs and outputs of out = name · MATRIX."""
    node = helper.make_node("MatMul", [name, "w"], [out])
    return [[node], [tensor(name, FLOAT, [rows, 3])], [tensor(out, FLOAT, [rows, 2])]]


def written(
    path: Path,
    nodes: list[NodeProto],
    inputs: list[ValueInfoProto],
    outputs: list[ValueInfoProto],
    *,
    opset: int = 18,
    external: bool = False,
) -> Path:
    weight = onnx.numpy_helper.from_array(MATRIX, "w")
    graph = helper.make_graph(nodes, "graph", inputs, outputs, [weight])
    opsets = [helper.make_opsetid("", opset)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=9, producer_name="tests")
    onnx.save(model, path, save_as_external_data=external, location="weights.bin", size_threshold=0)
    return path


def imported(tmp_path: Path, *parts: Any, dims: dict[str, int] | None = None, **options: Any) -> Manifest:
    source = written(tmp_path / "graph.onnx", *parts, **options)
    return read_bundle(import_onnx(source, FunctionTitle("dense"), tmp_path / "store", dims=dims)).manifest


def test_a_graph_keeps_its_names_and_types(tmp_path: Path) -> None:
    manifest = imported(tmp_path, *dense())
    assert (manifest.family, manifest.modality, manifest.domain) == ("function", "tensor", "continuous")
    graph, operation = manifest.graphs["run"], manifest.operations["run"]
    assert graph.buckets == BUCKETS
    given, made = operation.inputs["Input:0"], operation.outputs["head/logits"]
    assert (given.dtype, given.shape, made.dtype, made.shape, made.kind) == ("float32", (3,), "float32", (2,), "tensor")
    assert operation.params == {}
    assert manifest.provenance["framework"] == "tests"
    assert (manifest.provenance["source"], manifest.provenance["onnx_opset"]) == ("graph.onnx", "18")
    assert manifest.license == "NOASSERTION"


def test_it_computes_what_the_file_does(tmp_path: Path) -> None:
    manifest = imported(tmp_path, *dense())
    graphs = load_graphs(tmp_path / "store" / "dense" / "1", manifest, RuntimeOptions(threads=1))
    row = np.array([1.0, 2.0, -1.0], np.float32)
    program = compile_program(manifest, "run")
    outputs = run_row(program, graphs, seed=0, index=0, params={}, inputs={"Input:0": row})
    np.testing.assert_allclose(outputs["head/logits"], row @ MATRIX, rtol=1e-6)


def test_it_is_served(tmp_path: Path) -> None:
    imported(tmp_path, *dense())
    rows = np.random.default_rng(0).standard_normal((50, 3)).astype(np.float32)
    with brood.load("dense", models=str(tmp_path / "store")) as model:
        result = model.collect(model.stream("run", n=50, params={"Input:0": rows}))
        files = result.save(tmp_path / "files")
    np.testing.assert_allclose(result.stacked("head/logits"), rows @ MATRIX, rtol=1e-5, atol=1e-5)
    assert (tmp_path / "files" / "000049-head" / "logits.npy") in files


def test_what_it_gave_is_recorded_and_held_against_it_at_every_load(tmp_path: Path) -> None:
    [golden] = imported(tmp_path, *dense()).golden
    assert (golden.operation, golden.inputs, golden.parity.rows) == ("run", ("Input:0",), (1, 3))
    assert 0 < golden.tolerance < 0.1
    directory = tmp_path / "store" / "dense" / "1"
    [run] = read_bundle(directory).golden()
    np.testing.assert_allclose(run.outputs["head/logits"], run.inputs["Input:0"] @ MATRIX, rtol=1e-6)
    write_golden(directory, [GoldenRun(golden, run.inputs, {"head/logits": run.outputs["head/logits"] + 1})])
    write_manifest(directory, read_manifest(directory)[0].model_copy(update={"files": hashed(directory)}))
    with pytest.raises(BundleError, match=r"golden 'trial' of 'run': off by 1, tolerance"):
        brood.load("dense", models=str(tmp_path / "store"))


@pytest.mark.parametrize(("op", "size"), [("Log", 3), ("Identity", 2**21 + 1)])
def test_what_cannot_be_compared_is_not_recorded(tmp_path: Path, op: str, size: int) -> None:
    axes: list[str | int | None] = ["N", size]
    parts = [helper.make_node(op, ["x"], ["y"])], [tensor("x", FLOAT, axes)], [tensor("y", FLOAT, axes)]
    assert imported(tmp_path, *parts).golden == ()  # numbers below 0 have no logarithm


def test_calls_with_large_rows_have_few(tmp_path: Path) -> None:
    axes: list[str | int | None] = ["N", 2**22]  # 16 MiB, and as much again that comes out
    parts = [helper.make_node("Identity", ["x"], ["y"])], [tensor("x", FLOAT, axes)], [tensor("y", FLOAT, axes)]
    assert imported(tmp_path, *parts).graphs["run"].buckets == (1, 2, 3, 4, 6, 8)


def test_weights_in_other_files_are_taken_in(tmp_path: Path) -> None:
    manifest = imported(tmp_path, *dense(), external=True)
    assert (tmp_path / "weights.bin").is_file()
    (tmp_path / "weights.bin").unlink()
    load_graphs(tmp_path / "store" / "dense" / "1", manifest, RuntimeOptions(threads=1))


@pytest.mark.parametrize("place", ["../weights.bin", "/etc/hostname"])
def test_weights_outside_of_the_folder_are_refused(tmp_path: Path, place: str) -> None:
    folder = tmp_path / "inner"
    folder.mkdir()
    source = written(folder / "graph.onnx", *dense(), external=True)
    (folder / "weights.bin").rename(tmp_path / "weights.bin")
    model = onnx.load(source, load_external_data=False)
    [entry] = [entry for entry in model.graph.initializer[0].external_data if entry.key == "location"]
    entry.value = place
    source.write_bytes(model.SerializeToString())
    with pytest.raises(NotImportable, match=r"graph.onnx: .*w.*(outside|\.\.|absolute|directory)"):
        import_onnx(source, FunctionTitle("dense"), tmp_path / "store")
    assert not (tmp_path / "store").exists()


def test_weights_that_are_missing(tmp_path: Path) -> None:
    source = written(tmp_path / "graph.onnx", *dense(), external=True)
    (tmp_path / "weights.bin").unlink()
    with pytest.raises(NotImportable, match=r"weights\.bin"):
        import_onnx(source, FunctionTitle("dense"), tmp_path / "store")


def test_a_fixed_axis_of_one_row_means_one_row_a_call(tmp_path: Path) -> None:
    manifest = imported(tmp_path, *dense(rows=1))
    assert manifest.graphs["run"].buckets == (1,)
    load_graphs(tmp_path / "store" / "dense" / "1", manifest, RuntimeOptions(threads=1))


def test_open_axes_are_fixed_by_name_or_place(tmp_path: Path) -> None:
    node = helper.make_node("Add", ["x", "y"], ["sum"])
    inputs = [tensor("x", FLOAT, ["N", "width", 2]), tensor("y", FLOAT, ["N", None, 2])]
    parts = [[node], inputs, [tensor("sum", FLOAT, ["N", "width", 2])]]
    manifest = imported(tmp_path, *parts, dims={"width": 4, "y.1": 4})
    assert manifest.operations["run"].outputs["sum"].shape == (4, 2)
    assert manifest.operations["run"].inputs["y"].shape == (4, 2)
    load_graphs(tmp_path / "store" / "dense" / "1", manifest, RuntimeOptions(threads=1))


def test_numbers_are_scalars_and_whole_ones_are_discrete(tmp_path: Path) -> None:
    parts = [
        [helper.make_node("ArgMax", ["x"], ["best"], axis=1, keepdims=0)],
        [tensor("x", FLOAT, ["N", 4])],
        [tensor("best", INT64, ["N"])],
    ]
    manifest = imported(tmp_path, *parts)
    assert manifest.domain == "discrete"
    assert manifest.operations["run"].outputs["best"].kind == "scalar"


X, Y = tensor("x", FLOAT, ["N", 3]), tensor("y", FLOAT, ["N", 3])
SAME = helper.make_node("Identity", ["x"], ["y"])
REFUSED: dict[str, tuple[list[Any], str]] = {
    "string": (
        [[SAME], [tensor("x", TensorProto.STRING, ["N"])], [tensor("y", TensorProto.STRING, ["N"])]],
        "input 'x' has elements of STRING; allowed: bool",
    ),
    "bfloat16": (
        [[SAME], [tensor("x", TensorProto.BFLOAT16, ["N"])], [tensor("y", TensorProto.BFLOAT16, ["N"])]],
        "input 'x' has elements of BFLOAT16",
    ),
    "sequence": (
        [
            [helper.make_node("SequenceConstruct", ["x"], ["y"])],
            [X],
            [helper.make_tensor_sequence_value_info("y", FLOAT, None)],
        ],
        "output 'y' is a sequence; allowed: tensors",
    ),
    "no-axis": ([[SAME], [tensor("x", FLOAT, [])], [tensor("y", FLOAT, [])]], "input 'x' has no axis"),
    "rows": (
        [[SAME], [tensor("x", FLOAT, [8, 3])], [tensor("y", FLOAT, [8, 3])]],
        "input 'x': the first axis has size 8; allowed: an open axis, which is rows, or 1 in every input",
    ),
    "open": (
        [[SAME], [tensor("x", FLOAT, ["N", "time"])], [tensor("y", FLOAT, ["N", "time"])]],
        "input 'x': the size of axis 1 is open; give it with --dims time=SIZE",
    ),
    "empty": ([[SAME], [tensor("x", FLOAT, ["N", 0])], [tensor("y", FLOAT, ["N", 0])]], "an axis of size 0"),
    "name": (
        [[helper.make_node("Identity", ["../x"], ["y"])], [tensor("../x", FLOAT, ["N", 3])], [Y]],
        r"input '\.\./x': the name is not allowed",
    ),
    "no-rows-out": (
        [[helper.make_node("ReduceSum", ["x"], ["y"], keepdims=0)], [X], [tensor("y", FLOAT, [])]],
        r"output 'y' is \[\] for 3 rows; allowed: an axis of rows in front",
    ),
    "mixed-rows": (
        [[helper.make_node("Softmax", ["x"], ["y"], axis=0)], [X], [Y]],
        "output 'y': a row's results depend on the other rows",
    ),
    "no-inputs": (
        [[helper.make_node("Identity", ["w"], ["y"])], [], [tensor("y", FLOAT, [3, 2])]],
        "the graph has no inputs",
    ),
}


@pytest.mark.parametrize(("parts", "reason"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_served_is_refused_by_name(tmp_path: Path, parts: list[Any], reason: str) -> None:
    with pytest.raises(NotImportable, match=reason):
        imported(tmp_path, *parts)
    assert not (tmp_path / "store" / "dense").exists()


@pytest.mark.parametrize("opset", [6, 99])
def test_opsets_that_are_not_understood(tmp_path: Path, opset: int) -> None:
    with pytest.raises(NotImportable, match=rf"opset: {opset} is not allowed; allowed: 7 to|graph.onnx: .*opset"):
        imported(tmp_path, *dense(), opset=opset)


def test_a_generator_draws_its_input_from_the_seed(tmp_path: Path) -> None:
    nodes = [helper.make_node("MatMul", ["z", "w"], ["y"]), helper.make_node("Reshape", ["y", "s"], ["picture"])]
    nodes.insert(
        0, helper.make_node("Constant", [], ["s"], value=onnx.numpy_helper.from_array(np.array([-1, 1, 1, 2])))
    )
    source = written(
        tmp_path / "g.onnx", nodes, [tensor("z", FLOAT, ["N", 3])], [tensor("picture", FLOAT, ["N", 1, 1, 2])]
    )
    arguments = ["import", str(source), "--name", "painter", "--out", str(tmp_path), "--generator"]
    done = CliRunner().invoke(main, [*arguments, "--value-range", "-1", "1"])
    assert done.exit_code == 0, done.output
    manifest = read_bundle(tmp_path / "painter" / "1").manifest
    assert manifest.sample is not None
    assert manifest.sample.range == (-1.0, 1.0)
    with brood.load("painter", models=str(tmp_path)) as model:
        found = model.generate(n=3, seed=7).array
    z = [noise("normal", seed=7, stream=0, index=index, step=0, shape=(3,)) for index in range(3)]
    np.testing.assert_allclose(found.reshape(3, 2), np.stack(z) @ MATRIX, atol=1e-5)


def test_a_generator_has_one_latent(tmp_path: Path) -> None:
    node = helper.make_node("Add", ["a", "b"], ["y"])
    inputs = [tensor("a", FLOAT, ["N", 3]), tensor("b", FLOAT, ["N", 3])]
    source = written(tmp_path / "two.onnx", [node], inputs, [tensor("y", FLOAT, ["N", 3])])
    words = r"inputs: a \(float32\), b \(float32\); allowed of a generator: one of float32, the latent"
    with pytest.raises(NotImportable, match=words):
        import_onnx(source, FunctionTitle("two"), tmp_path / "store", generator=True)
    assert not (tmp_path / "store").exists()


def test_sizes_of_axes_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(NotImportable, match="dims: 'time' is no open axis; there are: N"):
        imported(tmp_path, *dense(), dims={"time": 4})


def test_a_file_that_is_no_graph(tmp_path: Path) -> None:
    path = tmp_path / "graph.onnx"
    path.write_bytes(b"\xff" * 100)
    with pytest.raises(NotImportable, match=r"graph\.onnx: not an ONNX file"):
        import_onnx(path, FunctionTitle("dense"), tmp_path)


def test_names_that_bundles_cannot_have_and_places_that_are_taken(tmp_path: Path) -> None:
    source = written(tmp_path / "graph.onnx", *dense())
    with pytest.raises(NotImportable, match="name: 'Dense!' is not allowed"):
        import_onnx(source, FunctionTitle("Dense!"), tmp_path)
    import_onnx(source, FunctionTitle("dense"), tmp_path)
    with pytest.raises(BundleExists):
        import_onnx(source, FunctionTitle("dense"), tmp_path)
    import_onnx(source, FunctionTitle("dense"), tmp_path, replace=True)


def test_the_command(tmp_path: Path) -> None:
    source = written(tmp_path / "graph.onnx", *dense(rows="batch"))
    command = ["import", str(source), "--name", "dense", "--out", str(tmp_path / "store")]
    fixed = CliRunner().invoke(main, [*command, "--version", "2", "--dims", "batch=1", "--license", "MIT"])
    assert fixed.exit_code == 0, fixed.output
    assert "in  Input:0: float32 [rows, 3] input" in fixed.output
    assert "at most 1 rows a call" in fixed.output
    again = CliRunner().invoke(main, [*command, "--version", "2"])
    assert (again.exit_code, "exists already" in again.output) == (1, True)
    assert CliRunner().invoke(main, [*command, "--dims", "batch=x"]).exit_code == 2
    other = CliRunner().invoke(main, [*command, "--dims", "time=1"])
    assert other.output == "Error: dims: 'time' is no open axis; there are: batch\n"
