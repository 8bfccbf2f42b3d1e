"""Energies: the gradient in the graph is autograd's, Langevin dynamics finds the distribution; no energy, no export."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from brood.program import compile_program, run_row
from brood.store.store import read_bundle
from brood_export import Misfit, NotExportable, export
from brood_export.families import FAMILIES
from brood_export.families.base import complete_params
from brood_export.families.gradient import Score, traced_score
from brood_export.reference import TorchGraph
from helpers.tiny_models import tiny_manifest

pytestmark = pytest.mark.export


class Net(nn.Module):
    """Of layers whose gradients files have no word for."""

    def __init__(self) -> None:
        super().__init__()
        self.look = nn.Sequential(
            nn.Conv2d(1, 4, 3, 2, 1),
            nn.SiLU(),
            nn.ConvTranspose2d(4, 4, 4, 2, 1, groups=2),
            nn.GroupNorm(2, 4),
            nn.LeakyReLU(0.2),
            nn.AvgPool2d(2),
            nn.Conv2d(4, 4, 3, 1, 2, dilation=2, groups=2),
            nn.Flatten(),
            nn.Linear(64, 6),
            nn.GELU(),
            nn.LayerNorm(6),
            nn.Linear(6, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        energy: Tensor = self.look(x)[:, 0]
        return energy + x.flatten(1).logsumexp(1)


class Labelled(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = Net()

    def forward(self, x: Tensor, label: Tensor) -> Tensor:
        energy: Tensor = self.net(x) * (1.0 + label)
        return energy


@pytest.mark.parametrize("rows", [1, 2, 5])
def test_the_traced_gradient_is_autograds(rows: int) -> None:
    torch.manual_seed(0)
    score = Score(Labelled().eval())
    traced = traced_score(score, (1, 8, 8))
    x, label = torch.randn(rows, 1, 8, 8), torch.arange(rows)
    torch.testing.assert_close(traced(x, x, label), score(x, x, label), atol=1e-5, rtol=1e-4)


def test_a_whole_export(tmp_path: Path) -> None:
    torch.manual_seed(0)
    done = export(Net(), family="energy", out=tmp_path / "net", shape=(1, 8, 8), step=0.05, buckets=(1, 2))
    manifest = read_bundle(done.directory).manifest
    assert set(manifest.operations) == {"generate", "vary", "score"}
    assert set(manifest.operations["generate"].params) == {"steps"}
    assert all(difference.max_abs < 1e-5 for difference in done.differences)


def test_torchscript_says_it_cannot(tmp_path: Path) -> None:
    with pytest.raises(NotExportable, match="holds a gradient, which TorchScript cannot; allowed: runtime onnx"):
        export(Net(), family="energy", out=tmp_path / "n", shape=(1, 8, 8), step=0.1, runtime="torchscript")
    assert list(tmp_path.iterdir()) == []


class Bowl(nn.Module):
    """The energy of a normal distribution with mean 1 and standard deviation 0.5."""

    def forward(self, x: Tensor) -> Tensor:
        return 2.0 * (x - 1.0).square().sum(1)


def test_langevin_finds_the_distribution() -> None:
    spec = FAMILIES["energy"](Bowl(), shape=(200,), step=0.01, steps=300, extent=4.0)
    manifest = tiny_manifest(spec)
    program = compile_program(manifest, "generate")
    graphs = {name: TorchGraph(name, manifest.graphs[name], graph) for name, graph in spec.graphs.items()}
    params = complete_params(program.operation, {})
    made = run_row(program, graphs, seed=3, index=0, params=params, inputs={})["sample"]
    assert abs(float(made.mean()) - 1.0) < 0.12
    assert abs(float(made.std()) - 0.5) < 0.08


def test_score_is_the_energy() -> None:
    spec = FAMILIES["energy"](Bowl(), shape=(2,), step=0.01)
    manifest = tiny_manifest(spec)
    graphs = {name: TorchGraph(name, manifest.graphs[name], graph) for name, graph in spec.graphs.items()}
    given = {"sample": np.array([2.0, 1.0], np.float32)}
    made = run_row(compile_program(manifest, "score"), graphs, seed=0, index=0, params={}, inputs=given)
    assert made["energy"] == pytest.approx(2.0)


class Hidden(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.square().sum(1) + 3.0 * x.detach().sum(1)


class Vector(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.square()


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (Hidden(), r"Hidden: autograd gives a slope of .* where the energy's is .*detach"),
        (Vector(), r"Vector gives \[2, 2\] for 2 rows; allowed: \[2\]"),
    ],
)
def test_what_is_no_energy_is_refused(model: nn.Module, words: str) -> None:
    options: dict[str, Any] = {"shape": (2,), "step": 0.1}
    with pytest.raises(Misfit, match=words):
        FAMILIES["energy"](model, **options)
