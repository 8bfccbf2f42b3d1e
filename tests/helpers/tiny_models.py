"""One small randomly initialised model of each family, and its export spec: quick to export, same structure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from brood.protocol.manifest import Manifest
from brood_export.families import FAMILIES, Examples, ExportSpec
from brood_export.targets import TARGETS
from brood_export.words import Title, first_words
from brood_export.zoo.boltzmann import GlyphsBoltzmann
from brood_export.zoo.pixelrnn import GlyphsPixelRnn
from brood_export.zoo.rbm import GlyphsRbm

CLASSES, LATENT, SIDE = 3, 4, 4
IMAGE = (1, SIDE, SIDE)
PIXELS = SIDE * SIDE


class TinyGan(nn.Module):
    """A generator of two layers."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(LATENT + CLASSES, 8), nn.SiLU(), nn.Linear(8, PIXELS), nn.Sigmoid())

    def forward(self, z: Tensor, label: Tensor) -> Tensor:
        image: Tensor = self.net(torch.cat([z, nn.functional.one_hot(label, CLASSES).float()], 1))
        return image.reshape(-1, *IMAGE)


class TinyVae(nn.Module):
    """An encoder of one layer, and `TinyGan` for a decoder."""

    def __init__(self) -> None:
        super().__init__()
        self.look = nn.Linear(PIXELS + CLASSES, 2 * LATENT)
        self.draw = TinyGan()

    def encode(self, image: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
        seen = torch.cat([image.flatten(1), nn.functional.one_hot(label, CLASSES).float()], 1)
        mean, log_variance = self.look(seen).chunk(2, 1)
        return mean, log_variance

    def decode(self, z: Tensor, label: Tensor) -> Tensor:
        image: Tensor = self.draw(z, label)
        return image


class TinyFlow(nn.Module):
    """One affine map per class, exactly invertible: z = (v - shift) exp(-log_scale)."""

    def __init__(self) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(0.1 * torch.randn(CLASSES, PIXELS) - 2.0)
        self.shift = nn.Parameter(0.5 + 0.1 * torch.randn(CLASSES, PIXELS))

    def forward(self, v: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
        log_scale = self.log_scale[label]
        return (v.flatten(1) - self.shift[label]) * torch.exp(-log_scale), -log_scale.sum(1)

    def inverse(self, z: Tensor, label: Tensor) -> Tensor:
        return (z * torch.exp(self.log_scale[label]) + self.shift[label]).reshape(-1, *IMAGE)


class TinyDenoiser(nn.Module):
    """One hidden layer; predicts v."""

    def __init__(self) -> None:
        super().__init__()
        self.look = nn.Linear(PIXELS + 1, 8)
        self.label = nn.Embedding(CLASSES + 1, 8)
        self.tell = nn.Linear(8, PIXELS)

    def forward(self, x: Tensor, t: Tensor, label: Tensor) -> Tensor:
        seen = torch.cat([x.flatten(1), t[:, None] / 1000.0], 1)
        v: Tensor = self.tell(torch.tanh(self.look(seen) + self.label(label)))
        return v.reshape(-1, *IMAGE)


class TinyEnergy(nn.Module):
    """A bowl for each class."""

    def __init__(self) -> None:
        super().__init__()
        self.middle = nn.Parameter(0.3 * torch.randn(CLASSES, *IMAGE))

    def forward(self, x: Tensor, label: Tensor) -> Tensor:
        return torch.log1p((x - self.middle[label]).square()).flatten(1).sum(1)


class TinySequence(nn.Module):
    """Tells the next token by the sum of what it has seen; its key is a token's worth, its values are nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.worth, self.label = nn.Embedding(3, 2), nn.Embedding(CLASSES, 2)
        self.tell = nn.Linear(2, 3)

    def forward(self, tokens: Tensor, label: Tensor) -> Tensor:
        logits: Tensor = self.tell(torch.tanh(self.worth(tokens).cumsum(1) + self.label(label)[:, None]))
        return logits

    def step(
        self, token: Tensor, position: Tensor, keys: Tensor, values: Tensor, label: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        key = self.worth(token)
        seen = (torch.arange(PIXELS) < position[:, None]).float()
        summed = key + (keys * seen[:, :, None]).sum(1)
        return self.tell(torch.tanh(summed + self.label(label))), key[:, None], torch.zeros_like(key)[:, None]


def cosine_levels(steps: int = 1000) -> np.ndarray:
    """The share of the data's variance at each timestep: squared cosine, each step's loss at most 0.999."""
    wanted = np.cos((np.arange(steps + 1) / steps + 0.008) / 1.008 * np.pi / 2) ** 2
    return np.cumprod(np.maximum(wanted[1:] / wanted[:-1], 0.001))


def examples() -> Examples:
    images = np.linspace(0.0, 1.0, 2 * PIXELS, dtype=np.float32).reshape(2, *IMAGE)
    return Examples(images, np.arange(2, dtype=np.int64))


def with_examples(**options: Any) -> dict[str, Any]:
    return {**options, "examples": examples()}


class TinyPoints(nn.Module):
    """Predicts the noise in points of the plane, as if all data were at the origin or near it."""

    def __init__(self) -> None:
        super().__init__()
        self.label = nn.Parameter(torch.linspace(0.5, 1.0, CLASSES + 1))

    def forward(self, x: Tensor, t: Tensor, label: Tensor) -> Tensor:
        return x * (t / 1000.0).sqrt()[:, None] * self.label[label][:, None]


def tiny_points(model: nn.Module) -> ExportSpec:
    """A denoiser whose samples are no pictures."""
    places = np.linspace(-1.0, 1.0, 4, dtype=np.float32).reshape(2, 2)
    return FAMILIES["diffusion"](
        model,
        shape=(2,),
        classes=CLASSES,
        prediction="epsilon",
        alphas_cumprod=np.cumprod(1.0 - np.linspace(1e-4, 0.02, 1000)),
        betas="linear",
        extent=3.0,
        output="point",
        examples=Examples(places, np.arange(2, dtype=np.int64)),
        steps=4,
    )


MODELS: Mapping[str, tuple[Callable[[], nn.Module], dict[str, Any]]] = {
    "gan": (TinyGan, {"latent": LATENT, "classes": CLASSES}),
    "vae": (TinyVae, with_examples(image=IMAGE, classes=CLASSES)),
    "flow": (TinyFlow, with_examples(image=IMAGE, classes=CLASSES, levels=16)),
    "pixelrnn": (lambda: GlyphsPixelRnn(SIDE, 3, 5, CLASSES), with_examples()),
    "rbm": (lambda: GlyphsRbm(PIXELS, CLASSES, 6), with_examples(image=IMAGE, steps=6)),
    "diffusion": (
        TinyDenoiser,
        with_examples(
            shape=IMAGE, classes=CLASSES, prediction="v", alphas_cumprod=cosine_levels(), betas="cosine", guidance=1.5
        ),
    ),
    "flow-matching": (TinyDenoiser, with_examples(shape=IMAGE, classes=CLASSES, velocity="to_data", guidance=1.5)),
    "energy": (TinyEnergy, with_examples(shape=IMAGE, classes=CLASSES, step=0.02, steps=5)),
    "autoregressive": (
        TinySequence,
        {"length": PIXELS, "vocabulary": 3, "start": 0, "classes": CLASSES, "cache": (PIXELS, 2), "image": IMAGE},
    ),
    "latent-diffusion": (
        TinyDenoiser,
        with_examples(
            latent=IMAGE,
            image=IMAGE,
            classes=CLASSES,
            prediction="v",
            betas="cosine",
            encoder=nn.Sigmoid(),
            decoder=nn.Tanh(),
            scale=2.0,
            shift=0.5,
            value_range=(0.0, 1.0),
            guidance=1.5,
        ),
    ),
    "boltzmann": (lambda: GlyphsBoltzmann(PIXELS, CLASSES, 4), with_examples(image=IMAGE, steps=6)),
}


def tiny_model(family: str) -> nn.Module:
    """The same weights every time."""
    with torch.random.fork_rng():
        torch.manual_seed(5)
        return MODELS[family][0]().eval()


def tiny_spec(family: str, model: nn.Module | None = None) -> ExportSpec:
    return FAMILIES[family](model or tiny_model(family), **MODELS[family][1])


def tiny_manifest(spec: ExportSpec) -> Manifest:
    """The words of a spec, as they are before anything is exported."""
    return first_words(spec, nn.Identity(), TARGETS["onnx"], Title(f"tiny-{spec.family}"), (1, 2, 3))
