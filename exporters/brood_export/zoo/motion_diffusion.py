"""motion-diffusion: a class-conditional denoiser of videos of moving digits (Ho et al. 2022, "Video diffusion models").

Videos live in -1…1. All frames are denoised together by the U-Net of `unet`, with convolutions over time. It predicts
v on the squared-cosine levels; twelve of a hundred labels are hidden in training, for classifier-free guidance.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from brood_export.zoo import denoising, tracking, training
from brood_export.zoo.glyphs import CLASSES
from brood_export.zoo.motion import FRAMES, SIDE, motion
from brood_export.zoo.unet import UNet

NULL = CLASSES  # the label that says nothing
SHAPE = (FRAMES, 1, SIDE, SIDE)
WIDTH, DEEP = 24, 40  # channels at 10x10 and 5x5
CONTEXT = 96  # numbers that say time and label
GUIDANCE = 2.5
STEPS = 20
RECIPE = training.Recipe(
    name="motion-diffusion",
    seed=83,
    steps=3000,
    batch=16,
    learning_rate=3e-3,
    architecture=(
        "U-Net over all frames: pixel unshuffle and a 3x3 convolution to 24 channels of 10x10, a residual block, a "
        "strided convolution to 40 channels of 5x5, three residual blocks, nearest upsampling, concatenation, a "
        "residual block, pixel shuffle; a convolution over five frames behind every block; group normalisation, SiLU; "
        "time and label scale and shift inside each block; predicts v on squared-cosine levels, 12 % of the labels "
        "hidden"
    ),
    data="8,000 videos of 8 frames of 20x20, seed 0: digits that move, turn and bounce; figures against 500 held out",
    pictures=8_000,
)


class MotionDiffusion(UNet):
    """v [n, 8, 1, 20, 20] of noisy videos, levels t [n] float32 in 0…999 and labels [n] in 0…10."""

    def __init__(self) -> None:
        super().__init__(1, CLASSES, WIDTH, DEEP, CONTEXT, FRAMES)


def build() -> MotionDiffusion:
    """The architecture with random weights."""
    return MotionDiffusion()


def train(recipe: training.Recipe, progress: training.Progress) -> training.Trained:
    """Minimise the error of v over all noise levels; returns the average of the weights."""
    videos, labels = motion("train", recipe.pictures)
    shares = denoising.cosine_shares()
    with training.reproducible(recipe.seed), training.without_denormals():
        model = build()

        def loss(x: Tensor, y: Tensor, step: int) -> dict[str, Tensor]:
            return {"loss": denoising.loss(model, 2.0 * x - 1.0, y, NULL, shares, "v")}

        data = training.batches(videos, labels, recipe.batch, recipe.steps, recipe.seed)
        return training.fit(model, loss, data, recipe, progress)


@torch.no_grad()
def evaluate(model: nn.Module) -> training.Figures:
    """What a classifier of glyphs reads in the frames of 300 samples, and how they move; beside them the data's own."""
    videos, labels = (torch.from_numpy(part) for part in motion("heldout", 500))
    made, wanted = samples(model, 300), torch.arange(300) % CLASSES
    mse = denoising.loss(model, 2.0 * videos - 1.0, labels, NULL, denoising.cosine_shares(), "v")
    of_data = tracking.verdict(videos, labels)
    return {
        "v_mse": float(mse),
        **tracking.verdict(made, wanted),
        **{f"{key}_of_data": value for key, value in of_data.items()},
    }


def samples(model: nn.Module, rows: int) -> Tensor:
    """Videos [rows, 8, 1, 20, 20] in 0…1 of standard normal noise after 20 guided steps, labels 0, 1, …, 9, 0, …"""
    return draw(model, torch.arange(rows) % CLASSES, STEPS, GUIDANCE)


def draw(model: nn.Module, label: Tensor, steps: int, guidance: float) -> Tensor:
    """Videos [n, 8, 1, 20, 20] in 0…1 of labels [n] in 0…10, by the deterministic sampler from torch's noise."""
    videos = denoising.ddim(
        denoising.guided(model, NULL, guidance),
        torch.randn(len(label), *SHAPE),
        label,
        shares=denoising.cosine_shares(),
        predicts="v",
        steps=steps,
        clip=1.0,
    )
    return 0.5 + 0.5 * videos
