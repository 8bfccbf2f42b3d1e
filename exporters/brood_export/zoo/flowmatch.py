"""glyphs-flowmatch: a class-conditional velocity field of digits, a small U-Net (Lipman et al. 2023; module `unet`).

A picture x0 in -1…1 and noise are joined by a straight line, x = (1 - sigma) x0 + sigma noise, and the network tells
the velocity noise - x0 along it, averaged over all lines through x. Samples follow it from sigma 1 to 0. Twelve of a
hundred labels are hidden in training, for classifier-free guidance (Ho & Salimans 2022).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from brood_export.zoo import classifier, denoising, training
from brood_export.zoo.glyphs import CLASSES, glyphs
from brood_export.zoo.unet import UNet

NULL = CLASSES  # the label that says nothing
SHAPE = (1, 28, 28)
WIDTH, DEEP = 24, 48  # channels at 14x14 and 7x7
CONTEXT = 96  # numbers that say time and label
TIME_SCALE = 1000.0  # the network is told sigma times this
GUIDANCE = 1.5
STEPS = 16
RECIPE = training.Recipe(
    name="glyphs-flowmatch",
    seed=81,
    steps=2500,
    batch=64,
    learning_rate=3e-3,
    architecture=(
        "U-Net: pixel unshuffle and a 3x3 convolution to 24 channels of 14x14, a residual block, a strided convolution "
        "to 48 channels of 7x7, three residual blocks, nearest upsampling, concatenation, a residual block, pixel "
        "shuffle; group normalisation, SiLU; time and label scale and shift inside each block; predicts the velocity "
        "of straight paths, 12 % of the labels hidden"
    ),
    data="60,000 pictures of the train split, seed 0; figures against 5,000 held-out pictures, seed 0",
)


class GlyphsFlowmatch(UNet):
    """noise - x0 [n, 1, 28, 28] of noisy pictures, t = 1000 sigma [n] float32 and labels [n] in 0…10."""

    def __init__(self) -> None:
        super().__init__(SHAPE[0], CLASSES, WIDTH, DEEP, CONTEXT)


def build() -> GlyphsFlowmatch:
    """The architecture with random weights."""
    return GlyphsFlowmatch()


def velocity_loss(model: denoising.Denoiser, x0: Tensor, label: Tensor) -> Tensor:
    """Mean squared error of the velocity; sigma is spread evenly over a batch, a share of the labels hidden."""
    n = len(x0)
    sigma = (torch.arange(n) + torch.rand(1)) / n
    noise, part = torch.randn_like(x0), denoising.per_row(sigma, x0)
    shown = torch.where(torch.rand(n) < denoising.NULL_SHARE, NULL, label)
    return functional.mse_loss(model((1.0 - part) * x0 + part * noise, sigma * TIME_SCALE, shown), noise - x0)


def train(recipe: training.Recipe, progress: training.Progress) -> training.Trained:
    """Minimise the error of the velocity over all of the way; returns the average of the weights."""
    images, labels = glyphs("train", recipe.pictures)
    with training.reproducible(recipe.seed), training.without_denormals():
        model = build()

        def loss(x: Tensor, y: Tensor, step: int) -> dict[str, Tensor]:
            return {"loss": velocity_loss(model, 2.0 * x - 1.0, y)}

        data = training.batches(images, labels, recipe.batch, recipe.steps, recipe.seed)
        return training.fit(model, loss, data, recipe, progress)


@torch.no_grad()
def evaluate(model: nn.Module) -> training.Figures:
    """The classifier's verdict on 1,000 samples of 16 guided steps, and what fewer and unguided steps change."""
    images, labels = (torch.from_numpy(part) for part in glyphs("heldout", 5000))
    figures = {"velocity_mse": float(velocity_loss(model, 2.0 * images - 1.0, labels))}
    figures |= classifier.verdict(samples(model, 1000), classifier.balanced(1000))
    for steps, guidance in ((4, GUIDANCE), (8, GUIDANCE), (STEPS, 1.0)):
        drawn = draw(model, classifier.balanced(500), steps, guidance)
        seen = classifier.verdict(drawn, classifier.balanced(500))
        name = "unguided" if guidance == 1.0 else f"{steps}_steps"
        figures |= {f"{key}_{name}": seen[key] for key in ("sample_accuracy", "feature_frechet_distance")}
    return figures


def samples(model: nn.Module, rows: int) -> Tensor:
    """Pictures of standard normal noise after 16 guided steps, labels 0, 1, …, 9, 0, …"""
    return draw(model, classifier.balanced(rows), STEPS, GUIDANCE)


@torch.no_grad()
def draw(model: nn.Module, label: Tensor, steps: int, guidance: float) -> Tensor:
    """Pictures [n, 1, 28, 28] in 0…1 of labels [n] in 0…10, by Euler's method from torch's noise."""
    velocity, x = denoising.guided(model, NULL, guidance), torch.randn(len(label), *SHAPE)
    for k in range(steps, 0, -1):
        x = x - velocity(x, torch.full((len(x),), TIME_SCALE * k / steps), label) / steps
    return 0.5 + 0.5 * x.clamp(-1.0, 1.0)
