"""Whole exports, in both formats, and those that must leave nothing behind."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

from brood.media.sheet import GAP
from brood.program import compile_program, run_row
from brood.protocol.manifest import Manifest
from brood.runtimes.base import RuntimeOptions
from brood.runtimes.load import load_graphs
from brood.store.store import read_bundle
from brood_export import BundleExists, Misfit, ParityFailed, export
from brood_export.bundle import Exported, export_spec
from brood_export.cli import main
from brood_export.drawing import PLOT
from brood_export.families import StepGraph
from brood_export.families.base import Request, complete_params
from brood_export.preview import PREVIEW
from brood_export.targets import TARGETS
from brood_export.targets.base import Target
from brood_export.words import BUCKETS, Title
from helpers.tiny_models import CLASSES, MODELS, TinyPoints, tiny_model, tiny_points, tiny_spec

pytestmark = pytest.mark.export

TITLE = Title("tiny-vae", 3, created=datetime(2026, 1, 1, tzinfo=UTC))


def export_vae(out: Path, target: Target = TARGETS["torchscript"], replace: bool = False) -> Exported:
    model = tiny_model("vae")
    return export_spec(tiny_spec("vae", model), model, target, TITLE, out, replace=replace)


@pytest.fixture(scope="module")
def onnx_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_vae(tmp_path_factory.mktemp("store"), TARGETS["onnx"]).directory


def check_golden(directory: Path, manifest: Manifest) -> int:
    graphs = load_graphs(directory, manifest, RuntimeOptions(threads=1))
    runs = read_bundle(directory, allow_native=True).golden()
    for run in runs:
        program = compile_program(manifest, run.words.operation)
        outputs = run_row(
            program,
            graphs,
            seed=run.words.seed,
            index=run.words.index,
            params=complete_params(program.operation, run.words.params),
            inputs=run.inputs,
        )
        for name, expected in run.outputs.items():
            np.testing.assert_allclose(outputs[name], expected, atol=run.words.tolerance, rtol=0, err_msg=name)
    return len(runs)


def test_the_store_reads_it_and_its_golden_samples_hold(onnx_bundle: Path) -> None:
    bundle = read_bundle(onnx_bundle)
    assert (bundle.manifest.name, bundle.manifest.version) == ("tiny-vae", 3)
    assert onnx_bundle.parts[-2:] == ("tiny-vae", "3")
    assert check_golden(onnx_bundle, bundle.manifest) == len(bundle.manifest.golden) > 4
    assert all(golden.parity.rows == BUCKETS for golden in bundle.manifest.golden)
    assert all(0 < golden.tolerance < 1e-2 for golden in bundle.manifest.golden)


def test_everything_in_the_directory_is_listed(onnx_bundle: Path) -> None:
    manifest = read_bundle(onnx_bundle).manifest
    assert {path.name for path in onnx_bundle.iterdir()} == {*manifest.files, "manifest.json"}
    graphs = {f"{name}.onnx" for name in ("encode", "decode", "blend", "cross")}
    assert {"card.md", "preview.png", "golden.npz", *graphs} == set(manifest.files)


def test_it_says_where_it_comes_from(onnx_bundle: Path) -> None:
    provenance = read_bundle(onnx_bundle).manifest.provenance
    assert provenance["framework"] == f"torch {torch.__version__}"
    assert provenance["source_class"].endswith("TinyVae")
    assert len(provenance["weights_sha256"]) == 64


def test_inspect_tells_what_is_in_it(onnx_bundle: Path) -> None:
    result = CliRunner().invoke(main, ["inspect", str(onnx_bundle)])
    assert result.exit_code == 0
    for words in ("tiny-vae version 3", "graph decode: decode.onnx (onnx)", "**reconstruct**", "golden encode_first"):
        assert words in result.output


@pytest.fixture(scope="module")
def points_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_points(tmp_path_factory.mktemp("store"))


def export_points(out: Path, **changes: Any) -> Path:
    model = TinyPoints().eval()
    spec = replace(tiny_points(model), **changes)
    return export_spec(spec, model, TARGETS["torchscript"], Title("tiny-points"), out, buckets=(1, 2, 5)).directory


def test_inspect_tells_which_graphs_an_operation_calls(points_bundle: Path) -> None:
    result = CliRunner().invoke(main, ["inspect", str(points_bundle)])
    steps = "step in every step (step_guided where guidance is not 1); preview by preview"
    assert f"operation generate: {steps}\noperation vary: {steps}\n" in result.output


def test_what_is_no_picture_has_a_sheet_and_golden_samples_too(points_bundle: Path) -> None:
    manifest = read_bundle(points_bundle, allow_native=True).manifest
    assert manifest.modality == "tensor"
    assert check_golden(points_bundle, manifest) == len(manifest.golden) > 8
    assert all(golden.parity.rows[-1] >= 5 for golden in manifest.golden)
    with Image.open(points_bundle / PREVIEW) as sheet:
        assert sheet.size == (CLASSES * (PLOT + GAP) + GAP, PLOT + 2 * GAP)


def test_a_model_without_a_sheet_has_none(tmp_path: Path) -> None:
    directory = export_points(tmp_path, preview=())
    assert not (directory / PREVIEW).exists()
    assert PREVIEW not in (directory / "card.md").read_text()


def test_an_original_that_makes_something_else_is_refused(tmp_path: Path) -> None:
    """The sampler of the papers is held against graphs and tables together."""
    original = tiny_points(TinyPoints().eval()).original
    assert original is not None

    def shifted(request: Request) -> dict[str, Any]:
        made = dict(original(request))
        return made | {"point": made["point"].astype(np.float64) + 0.01}

    with pytest.raises(ParityFailed, match=r"golden:generate_interval, whole run, output 'point', 1 rows: differs by"):
        export_points(tmp_path, original=shifted)


def test_inspect_refuses_a_changed_byte(onnx_bundle: Path, tmp_path: Path) -> None:
    copy = tmp_path / "tiny-vae" / "3"
    copy.mkdir(parents=True)
    for path in onnx_bundle.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    (copy / "card.md").write_text("another card")
    result = CliRunner().invoke(main, ["inspect", str(copy)])
    assert result.exit_code == 1
    assert "card.md" in result.output


def test_torchscript_bundles_hold_their_golden_samples_too(tmp_path: Path) -> None:
    directory = export(
        tiny_model("vae"), family="vae", out=tmp_path, name="tiny-vae", runtime="torchscript", **MODELS["vae"][1]
    ).directory
    manifest = read_bundle(directory, allow_native=True).manifest
    assert {graph.runtime for graph in manifest.graphs.values()} == {"torchscript"}
    assert check_golden(directory, manifest) > 4


def test_a_taken_place_is_left_alone_unless_it_is_to_be_replaced(tmp_path: Path) -> None:
    place = tmp_path / "tiny-vae" / "3"
    place.mkdir(parents=True)
    (place / "mine").write_text("kept")
    with pytest.raises(BundleExists, match="tiny-vae/3 exists"):
        export_vae(tmp_path)
    assert (place / "mine").read_text() == "kept"
    assert export_vae(tmp_path, replace=True).directory == place
    assert not (place / "mine").exists()
    assert [path.name for path in place.parent.iterdir()] == ["3"]


def spoiled(spoil: Callable[[StepGraph], torch.nn.Module]) -> Target:
    """TorchScript, of another module than it is given."""
    target = TARGETS["torchscript"]

    def export(graph: StepGraph, path: Path) -> None:
        target.export(replace(graph, module=spoil(graph)), path)

    return replace(target, export=export)


class Shifted(torch.nn.Module):
    """The original, its first output moved a little."""

    def __init__(self, original: torch.nn.Module) -> None:
        super().__init__()
        self.original = original

    def forward(self, *tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
        first, *others = self.original(*tensors)
        return (first + 0.01, *others)


def test_an_export_that_differs_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ParityFailed, match=r"encode, random inputs, output 'mean', 1 rows: differs by 0\.0"):
        export_vae(tmp_path, spoiled(lambda graph: Shifted(graph.module)))
    assert list(tmp_path.iterdir()) == []


class Silent(torch.nn.Module):
    """Gives too few outputs."""

    def forward(self, *tensors: torch.Tensor) -> torch.Tensor:
        return tensors[0]


def test_an_export_that_does_not_run_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ParityFailed, match=r"do not run: .*RuntimeFailed: the graph gave 1 outputs"):
        export_vae(tmp_path, spoiled(lambda graph: Silent()))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("options", [{"family": "rnn"}, {"family": "vae", "runtime": "pickle"}])
def test_unknown_families_and_runtimes_are_named(options: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(Misfit, match="there are"):
        export(tiny_model("vae"), out=tmp_path, name="x", **options)  # type: ignore[arg-type]
