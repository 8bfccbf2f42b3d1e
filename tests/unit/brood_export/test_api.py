"""The front door: people's own models, with and without labels; nothing is written if anything is wrong."""

import errno
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from brood.store.store import read_bundle
from brood_export import (
    BundleExists,
    CheckpointRefused,
    Misfit,
    NotExportable,
    NotWritten,
    export,
)
from brood_export.families.base import StepGraph
from brood_export.targets import TARGETS
from brood_export.verify import verify_bundle
from helpers.own_models import DcGan, OwnFlow, OwnMachine, OwnRbm, OwnUnet, OwnVae

pytestmark = pytest.mark.export

QUICK: dict[str, Any] = {"runtime": "torchscript", "buckets": (1, 2, 3)}
OWN: dict[str, tuple[type[nn.Module], dict[str, Any]]] = {
    "gan": (DcGan, {"latent": (6, 1, 1), "value_range": (-1.0, 1.0)}),
    "vae": (OwnVae, {"image": (1, 8, 8)}),
    "flow": (OwnFlow, {"image": (1, 4, 4)}),
    "diffusion": (OwnUnet, {"shape": (1, 8, 8), "prediction": "epsilon", "betas": "linear", "train_steps": 100}),
    "rbm": (OwnRbm, {"image": (1, 3, 3), "steps": 5}),
    "boltzmann": (OwnMachine, {"image": (1, 3, 3), "steps": 5}),
}


def made(family: str) -> nn.Module:
    torch.manual_seed(3)
    return OWN[family][0]()


@pytest.mark.parametrize("family", list(OWN))
def test_own_models_without_labels(family: str, tmp_path: Path) -> None:
    said: list[str] = []
    done = export(
        made(family), family=family, out=tmp_path / f"my-{family}", say=said.append, **OWN[family][1], **QUICK
    )
    assert done.directory == tmp_path / f"my-{family}" / "1"
    manifest = read_bundle(done.directory, allow_native=True).manifest
    words = manifest.model_dump_json()
    assert (manifest.name, manifest.family, manifest.license) == (f"my-{family}", family, "NOASSERTION")
    assert not [word for word in ("label", "label_noise", "made_label", "step_guided") if f'"{word}"' in words]
    assert "guidance" not in [name for op in manifest.operations.values() for name in op.params]
    assert done.preview == done.directory / "preview.png"
    assert "random inputs" in done.table()
    assert verify_bundle(done.directory).failed == []
    assert said[-1] == "drawing the sample sheet"


def test_onnx_without_labels(tmp_path: Path) -> None:
    done = export(made("gan"), family="gan", out=tmp_path, name="g", buckets=(1, 2, 3), **OWN["gan"][1])
    assert verify_bundle(done.directory).failed == []
    script = export(made("gan"), family="gan", out=tmp_path / "other", name="g", **OWN["gan"][1], **QUICK)
    assert verify_bundle(done.directory, script.directory).failed == []


def test_the_model_is_left_as_it_was(tmp_path: Path) -> None:
    model = made("gan").train()
    model.paint[1].eval()  # type: ignore[index, union-attr]
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    export(model, family="gan", out=tmp_path, name="g", **OWN["gan"][1], **QUICK)
    assert model.training
    assert not model.paint[1].training  # type: ignore[index, union-attr]
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_a_checkpoint_is_put_in_first(tmp_path: Path) -> None:
    weights = {name: torch.full_like(tensor, 0.01) for name, tensor in made("gan").state_dict().items()}
    save_file(weights, tmp_path / "w.safetensors")
    model, checkpoint = made("gan"), tmp_path / "w.safetensors"
    export(model, family="gan", out=tmp_path / "s", name="g", checkpoint=checkpoint, **OWN["gan"][1], **QUICK)
    assert all(bool((tensor == weights[name]).all()) for name, tensor in model.state_dict().items())


class Sounds(nn.Module):
    """Makes what is no picture."""

    def forward(self, z: Tensor) -> Tensor:
        return torch.sin(z.cumsum(1))


def test_what_is_no_picture_is_a_tensor(tmp_path: Path) -> None:
    done = export(Sounds(), family="gan", out=tmp_path, name="s", latent=16, value_range=(-1.0, 1.0), **QUICK)
    manifest = read_bundle(done.directory, allow_native=True).manifest
    assert manifest.operations["generate"].outputs["sample"].shape == (16,)
    assert (manifest.modality, done.preview) == ("tensor", None)


class Broken(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([1.0, torch.nan]))

    def forward(self, z: Tensor) -> Tensor:
        return z * self.weight


class Halves(Broken):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(2, dtype=torch.float16))


class Dreaming(nn.Module):
    def forward(self, z: Tensor) -> Tensor:
        return z + torch.rand_like(z)


class Looping(nn.Module):
    def forward(self, z: Tensor) -> Tensor:
        return torch.stack([torch.tanh(row) for row in z])


class Failing(nn.Module):
    def forward(self, z: Tensor) -> Tensor:
        return z @ torch.zeros(5, 5)


class Summing(nn.Module):
    def forward(self, z: Tensor) -> Tensor:
        return z.sum()


@pytest.mark.parametrize(
    ("model", "changes", "kind", "words"),
    [
        (Broken(), {}, CheckpointRefused, r"Broken has weights that are not finite: weight \(1 of 2\)"),
        (Halves(), {}, Misfit, r"Halves: weight is torch.float16; .*call model.float\(\)"),
        (Dreaming(), {}, NotExportable, "draws random numbers of its own"),
        (Failing(), {}, Misfit, r"family 'gan' calls Failing.forward\(float32\[2, 2\]\), which fails: RuntimeError"),
        (Summing(), {}, Misfit, r"Summing.forward.*: result 0 is \[\]; allowed: 2 rows in front"),
        (Sounds(), {"family": "gun"}, Misfit, "family: 'gun' is not allowed; there are gan, vae"),
        (Sounds(), {"family": "vae", "latent": None}, Misfit, "no option 'latent'"),
        (Sounds(), {"runtime": "tflite"}, Misfit, "runtime: 'tflite' is not allowed; there are onnx"),
        (Sounds(), {"name": "My GAN!"}, Misfit, "name: 'My GAN!' is not allowed; .* as 'my-gan'"),
        (Sounds(), {"version": 0}, Misfit, "version: 0 is not allowed"),
        (Sounds(), {"buckets": (2, 4)}, Misfit, r"buckets: \[2, 4\] is not allowed"),
    ],
)
def test_bad_input_is_refused_and_leaves_nothing(
    model: nn.Module, changes: dict[str, Any], kind: type[Exception], words: str, tmp_path: Path
) -> None:
    given = {"family": "gan", "name": "g", "latent": 2, **QUICK, **changes}
    with pytest.raises(kind, match=words):
        export(model, out=tmp_path, **given)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("family", "options", "words"),
    [
        ("vae", {"image": (1, 8, 8)}, "DcGan has no encode, decode"),
        ("flow", {"image": (1, 8, 8)}, "DcGan has no inverse"),
        ("pixelrnn", {}, "DcGan has no cell"),
        ("rbm", {"image": (1, 8, 8)}, "DcGan has no weight, visible_bias"),
        ("boltzmann", {"image": (1, 8, 8)}, "DcGan has no weight, bias"),
        ("diffusion", {"shape": (1, 8, 8), "prediction": "v", "betas": "cosine"}, r"calls DcGan.forward\(.*\), which"),
    ],
)
def test_another_family_is_not_mistaken_for_ones_own(
    family: str, options: dict[str, Any], words: str, tmp_path: Path
) -> None:
    with pytest.raises(Misfit, match=words):
        export(made("gan"), family=family, out=tmp_path, name="x", **options)


def test_a_loop_over_the_rows_is_refused_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(NotExportable, match=r"takes the rows one by one: test_api.py, line \d+: return torch.stack"):
        export(Looping(), family="gan", out=tmp_path, name="g", latent=2, **QUICK)
    assert list(tmp_path.iterdir()) == []


def test_a_taken_place_is_left_alone(tmp_path: Path) -> None:
    export(Sounds(), family="gan", out=tmp_path, name="s", latent=3, **QUICK)
    before = (tmp_path / "s" / "1" / "manifest.json").read_bytes()
    with pytest.raises(BundleExists, match="s/1 exists already"):
        export(Sounds(), family="gan", out=tmp_path, name="s", latent=3, **QUICK)
    assert (tmp_path / "s" / "1" / "manifest.json").read_bytes() == before
    export(Sounds(), family="gan", out=tmp_path, name="s", latent=4, replace=True, **QUICK)
    assert (tmp_path / "s" / "1" / "manifest.json").read_bytes() != before


def test_a_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(graph: StepGraph, path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    targets = {"torchscript": replace(TARGETS["torchscript"], export=full)}
    monkeypatch.setattr("brood_export.api.PRECISIONS", {"fp32": targets})
    with pytest.raises(NotWritten, match=r"there is no room: nothing is written.*s/1"):
        export(Sounds(), family="gan", out=tmp_path, name="s", latent=3, **QUICK)
    assert list(tmp_path.iterdir()) == []


def test_a_file_where_the_store_should_be(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("a file")
    with pytest.raises(NotWritten, match="part of the path is a file"):
        export(Sounds(), family="gan", out=tmp_path / "store", name="s", latent=3, **QUICK)
