"""Models of sound and video become bundles that say so, by every family that makes samples of any shape."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from brood.protocol.manifest import LAYOUTS, Sample
from brood.store.store import read_bundle
from brood_export import Misfit, export
from brood_export.families import FAMILIES
from brood_export.families.medium import medium_of
from brood_export.verify import verify_bundle

pytestmark = pytest.mark.export

RATE, FPS = 8000, 8.0
SHAPES = {"audio": (2, 64), "video": (3, 1, 4, 4)}
RATES: dict[str, dict[str, Any]] = {"audio": {"sample_rate_hz": RATE}, "video": {"fps": FPS}}
SAMPLES = {
    "audio": Sample(layout="CT", range=(-1.0, 1.0), sample_rate_hz=RATE),
    "video": Sample(layout="TCHW", range=(-1.0, 1.0), fps=FPS),
}
CAPTIONS = {"audio": "waveforms over spectrograms up to 4 kHz]", "video": "frames of videos of 8 a second]"}
NOISY: dict[str, Any] = {"prediction": "epsilon", "betas": "linear", "train_steps": 100}


class Dense(nn.Module):
    """Whatever it is given or has to make, as one row of numbers."""

    def __init__(self, shape: tuple[int, ...], latent: int = 4) -> None:
        super().__init__()
        self.shape, size = shape, int(torch.tensor(shape).prod())
        self.up, self.down, self.over = nn.Linear(latent, size), nn.Linear(size, 2 * latent), nn.Linear(size, size)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_variance = self.down(x.flatten(1)).chunk(2, 1)
        return mean, log_variance

    def decode(self, z: Tensor) -> Tensor:
        return torch.tanh(self.up(z)).reshape(-1, *self.shape)


class Generator(Dense):
    def forward(self, z: Tensor) -> Tensor:
        return self.decode(z)


class Denoiser(Dense):
    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        said: Tensor = self.over(x.flatten(1)).reshape(-1, *self.shape)
        return said * torch.sigmoid(t).reshape(-1, *[1] * len(self.shape))


def options(family: str, kind: str) -> tuple[nn.Module, dict[str, Any]]:
    torch.manual_seed(3)
    shape = SHAPES[kind]
    match family:
        case "gan":
            return Generator(shape), {"latent": 4, "value_range": (-1.0, 1.0), **RATES[kind]}
        case "vae":
            return Dense(shape), {"image": shape, "value_range": (-1.0, 1.0), **RATES[kind]}
        case "flow-matching":
            return Denoiser(shape), {"shape": shape, "velocity": "to_noise", **RATES[kind]}
        case _:
            return Denoiser(shape), {"shape": shape, **NOISY, **RATES[kind]}


@pytest.mark.parametrize("kind", ["audio", "video"])
@pytest.mark.parametrize("family", ["gan", "vae", "diffusion", "flow-matching"])
def test_a_bundle_says_what_is_made_and_how_fast(family: str, kind: str, tmp_path: Path) -> None:
    model, words = options(family, kind)
    done = export(model, family=family, out=tmp_path / kind, runtime="torchscript", buckets=(1, 2), **words)
    manifest = read_bundle(done.directory, allow_native=True).manifest
    assert (manifest.modality, manifest.sample) == (kind, SAMPLES[kind])
    assert kind in LAYOUTS
    for name, operation in manifest.operations.items():
        made = [output.kind for output in operation.outputs.values() if output.kind not in ("tensor", "scalar")]
        assert made == ([] if name == "encode" else [kind])
        assert {given.kind for given in operation.inputs.values() if given.shape == SHAPES[kind]} <= {kind}
    assert list(manifest.operations["generate"].outputs) == [kind]
    assert done.preview is not None
    assert CAPTIONS[kind] in (done.directory / "card.md").read_text()
    assert "complete" not in manifest.operations
    assert verify_bundle(done.directory).failed == []


@pytest.mark.parametrize(
    ("shape", "rates", "reason"),
    [
        (
            (1, 4, 4),
            {"sample_rate_hz": RATE},
            r"sample_rate_hz: samples are \[1, 4, 4\] a row; allowed for audio: chan",
        ),
        ((3, 64), {"sample_rate_hz": RATE}, r"samples are \[3, 64\] a row; allowed for audio: .*; 1 or 2 channels"),
        ((1, 4, 4), {"fps": FPS}, r"fps: samples are \[1, 4, 4\] a row; allowed for video: frames, channels"),
        ((8, 2, 4, 4), {"fps": FPS}, r"samples are \[8, 2, 4, 4\] a row; allowed for video: .*; 1 or 3 channels"),
        ((1, 64), {"sample_rate_hz": RATE, "fps": FPS}, "sample_rate_hz: 8000 and fps: 8; allowed: one of them"),
        ((1, 64), {"sample_rate_hz": 0}, "sample_rate_hz: 0 is not allowed; allowed: 1 to inf"),
        ((8, 1, 4, 4), {"fps": float("nan")}, "fps: nan is not allowed; allowed: 0.01 to 1000"),
    ],
)
def test_rates_that_do_not_fit_the_samples_are_refused(
    shape: tuple[int, ...], rates: dict[str, Any], reason: str
) -> None:
    with pytest.raises(Misfit, match=reason):
        medium_of(shape, (-1.0, 1.0), **rates)


def test_without_rates_such_shapes_are_tensors() -> None:
    for shape in SHAPES.values():
        spec = FAMILIES["diffusion"](Denoiser(shape), shape=shape, **NOISY)
        assert spec.sample is None
        assert spec.operations["generate"].outputs["sample"].kind == "tensor"
