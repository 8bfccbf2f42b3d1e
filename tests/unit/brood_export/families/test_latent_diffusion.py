"""Latent diffusion: three networks as stages of one program; what does not fit between them is refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from brood.store.store import read_bundle
from brood_export import Misfit, export
from brood_export.families import FAMILIES
from brood_export.verify import verify_bundle

pytestmark = pytest.mark.export


class Denoise(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Conv2d(4, 6, 3, 1, 1), nn.Conv2d(6, 4, 3, 1, 1)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        found: Tensor = self.last(torch.tanh(self.first(x) + t[:, None, None, None] / 1000))
        return found


def parts() -> dict[str, Any]:
    torch.manual_seed(0)
    return {
        "latent": (4, 4, 4),
        "image": (3, 8, 8),
        "decoder": nn.Sequential(nn.ConvTranspose2d(4, 3, 4, 2, 1), nn.Tanh()),
        "encoder": nn.Conv2d(3, 4, 4, 2, 1),
        "prediction": "epsilon",
        "betas": "scaled_linear",
        "beta_start": 8.5e-4,
        "beta_end": 0.012,
        "scale": 0.18215,
    }


def test_a_whole_export(tmp_path: Path) -> None:
    given = parts()
    done = export(
        Denoise(), family="latent-diffusion", out=tmp_path / "l", runtime="torchscript", buckets=(1, 2), **given
    )
    manifest = read_bundle(done.directory, allow_native=True).manifest
    stages = {name: [stage.graph for stage in op.stages] for name, op in manifest.operations.items()}
    assert stages == {
        "generate": ["step", "decode"],
        "vary": ["encode", "begin", "step", "decode"],
        "decode": ["decode"],
        "encode": ["encode"],
    }
    assert {"decoder_weights_sha256", "encoder_weights_sha256"} <= set(manifest.provenance)
    assert verify_bundle(done.directory).failed == []
    assert done.preview is not None
    runs = {run.words.operation: run for run in read_bundle(done.directory, allow_native=True).golden()}
    encoded = runs["encode"]
    with torch.no_grad():
        expected = given["encoder"](torch.from_numpy(np.asarray(encoded.inputs["image"])[None]))[0] * 0.18215
    np.testing.assert_allclose(encoded.outputs["latent"], expected.numpy(), atol=1e-6)


def test_without_an_encoder_nothing_begins_with_a_picture() -> None:
    spec = FAMILIES["latent-diffusion"](Denoise(), **parts() | {"encoder": None})
    assert set(spec.operations) == {"generate", "decode"}
    assert set(spec.graphs) == {"step", "decode"}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"image": (3, 16, 16)}, r"Sequential gives \[3, 8, 8\] a row; allowed: \[3, 16, 16\]"),
        ({"encoder": nn.Conv2d(3, 4, 1)}, r"Conv2d gives \[4, 8, 8\] a row; allowed: \[4, 4, 4\]"),
        ({"latent": (5, 4, 4)}, r"calls Sequential.forward\(float32\[2, 5, 4, 4\]\), which fails"),
        ({"beta_end": 2.0}, "family 'diffusion': schedule.numbers.beta_end"),
    ],
)
def test_what_does_not_fit_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(Misfit, match=words):
        FAMILIES["latent-diffusion"](Denoise(), **parts() | changes)
