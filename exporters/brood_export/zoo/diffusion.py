"""glyphs-diffusion: a class-conditional denoiser of digits, a small U-Net (Ho et al. 2020; module `unet`).

Pictures live in -1…1. The network predicts v (Salimans & Ho 2022) on the squared-cosine levels, where the last is
nothing but noise: few steps then give good digits. Twelve of a hundred labels are hidden in training, for
classifier-free guidance.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from brood_export.zoo import classifier, denoising, training
from brood_export.zoo.glyphs import CLASSES, glyphs
from brood_export.zoo.unet import UNet

NULL = CLASSES  # the label that says nothing
SHAPE = (1, 28, 28)
WIDTH, DEEP = 32, 64  # channels at 14x14 and 7x7
CONTEXT = 128  # numbers that say time and label
GUIDANCE = 2.0
STEPS = 20
RECIPE = training.Recipe(
    name="glyphs-diffusion",
    seed=78,
    steps=8000,
    batch=64,
    learning_rate=2e-3,
    architecture=(
        "U-Net: pixel unshuffle and a 3x3 convolution to 32 channels of 14x14, a residual block, a strided convolution "
        "to 64 channels of 7x7, three residual blocks, nearest upsampling, concatenation, a residual block, pixel "
        "shuffle; group normalisation, SiLU; time and label scale and shift inside each block; predicts v on "
        "squared-cosine levels, 12 % of the labels hidden"
    ),
    data="60,000 pictures of the train split, seed 0; figures against 5,000 held-out pictures, seed 0",
)


class GlyphsDiffusion(UNet):
    """v [n, 1, 28, 28] of noisy pictures [n, 1, 28, 28], levels t [n] float32 in 0…999 and labels [n] in 0…10."""

    def __init__(self) -> None:
        super().__init__(SHAPE[0], CLASSES, WIDTH, DEEP, CONTEXT)


def build() -> GlyphsDiffusion:
    """The architecture with random weights."""
    return GlyphsDiffusion()


def train(recipe: training.Recipe, progress: training.Progress) -> training.Trained:
    """Minimise the error of v over all noise levels; returns the average of the weights."""
    images, labels = glyphs("train", recipe.pictures)
    shares = denoising.cosine_shares()
    with training.reproducible(recipe.seed), training.without_denormals():
        model = build()

        def loss(x: Tensor, y: Tensor, step: int) -> dict[str, Tensor]:
            return {"loss": denoising.loss(model, 2.0 * x - 1.0, y, NULL, shares, "v")}

        data = training.batches(images, labels, recipe.batch, recipe.steps, recipe.seed)
        return training.fit(model, loss, data, recipe, progress)


@torch.no_grad()
def evaluate(model: nn.Module) -> training.Figures:
    """The classifier's verdict on 1,000 samples of 20 guided steps, and what fewer, more and unguided steps change."""
    images, labels = (torch.from_numpy(part) for part in glyphs("heldout", 5000))
    shares = denoising.cosine_shares()
    figures = {"v_mse": float(denoising.loss(model, 2.0 * images - 1.0, labels, NULL, shares, "v"))}
    figures |= classifier.verdict(samples(model, 1000), classifier.balanced(1000))
    for steps, guidance in ((4, GUIDANCE), (10, GUIDANCE), (50, GUIDANCE), (STEPS, 1.0)):
        drawn = draw(model, classifier.balanced(500), steps, guidance)
        seen = classifier.verdict(drawn, classifier.balanced(500))
        name = "unguided" if guidance == 1.0 else f"{steps}_steps"
        figures |= {f"{key}_{name}": seen[key] for key in ("sample_accuracy", "feature_frechet_distance")}
    return figures


def samples(model: nn.Module, rows: int) -> Tensor:
    """Pictures of standard normal noise after 20 guided steps, labels 0, 1, …, 9, 0, …"""
    return draw(model, classifier.balanced(rows), STEPS, GUIDANCE)


def draw(model: nn.Module, label: Tensor, steps: int, guidance: float) -> Tensor:
    """Pictures [n, 1, 28, 28] in 0…1 of labels [n] in 0…10, by the deterministic sampler from torch's noise."""
    images = denoising.ddim(
        denoising.guided(model, NULL, guidance),
        torch.randn(len(label), *SHAPE),
        label,
        shares=denoising.cosine_shares(),
        predicts="v",
        steps=steps,
        clip=1.0,
    )
    return 0.5 + 0.5 * images
