"""PT2: compiled where there is a compiler, else the program; a whole bundle of it verifies and is verified."""

import zipfile
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from brood.protocol.errors import BundleError
from brood.protocol.manifest import GraphInput, GraphOutput
from brood.store.store import read_bundle
from brood_export import NotExportable, export
from brood_export.families.base import StepGraph
from brood_export.targets.pt2 import compiler, export_pt2
from brood_export.verify import verify_bundle
from helpers.own_models import OwnVae
from helpers.tiny_models import LATENT, tiny_model

pytestmark = pytest.mark.export


def test_a_bundle_is_compiled_if_it_can_be(tmp_path: Path) -> None:
    options = {"latent": LATENT, "classes": 3, "buckets": (1, 2, 5)}
    gan = tiny_model("gan")
    done = export(gan, family="gan", out=tmp_path, name="g", runtime="pt2", **options)  # type: ignore[arg-type]
    manifest = read_bundle(done.directory, allow_native=True).manifest
    assert manifest.graphs["generate"].runtime == "pt2"
    assert manifest.provenance["compiler"] == ("AOTInductor" if compiler() else "none")
    with zipfile.ZipFile(done.directory / "generate.pt2") as archive:
        assert any(name.endswith(".so") for name in archive.namelist()) == (compiler() is not None)
    assert verify_bundle(done.directory).failed == []
    with pytest.raises(BundleError, match="native code"):
        read_bundle(done.directory)


def test_without_a_compiler_the_program_is_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("brood_export.targets.pt2.compiler", lambda: None)
    given = {"image": (1, 8, 8), "buckets": (1, 2, 5)}
    done, script = (
        export(OwnVae(), family="vae", out=tmp_path / runtime, name="v", runtime=runtime, **given)  # type: ignore[arg-type]
        for runtime in ("pt2", "torchscript")
    )
    assert read_bundle(done.directory, allow_native=True).manifest.provenance["compiler"] == "none"
    assert verify_bundle(done.directory).failed == []
    assert verify_bundle(script.directory, done.directory).failed != []  # weights of its own


class Loops(nn.Module):
    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        return (torch.stack(list(x[:3])),) if bool(x.sum() > 0) else (x,)


def test_what_torch_cannot_export_says_where(tmp_path: Path) -> None:
    graph = StepGraph(
        module=Loops(),
        inputs={"x": GraphInput(dtype="float32", shape=(2,), role="input")},
        outputs={"y": GraphOutput(dtype="float32", shape=(2,), role="output")},
        ranges={"x": (0.0, 1.0)},
    )
    with pytest.raises(NotExportable, match=r"graph 'g': torch cannot export it: test_pt2.py, line \d+"):
        export_pt2(graph, tmp_path / "g.pt2")
    assert list(tmp_path.iterdir()) == []
