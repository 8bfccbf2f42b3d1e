"""glyphs-gan: a class-conditional generative adversarial network (Goodfellow et al. 2014).

The two networks play the relativistic pairing game (Jolicoeur-Martineau 2019), in which the discriminator compares
each real picture with a made one, with zero-centred gradient penalties on both (Mescheder et al. 2018; Huang et al.
2024 show that the pair converges and keeps all modes). The label enters the discriminator by projection (Miyato &
Koyama 2018). Neither network uses statistics of the batch. The shipped generator has the average of the weights.
"""

from __future__ import annotations

import time

import torch
from torch import Tensor, nn
from torch.nn import functional

from brood_export.zoo import classifier, training
from brood_export.zoo.glyphs import CLASSES, glyphs

LATENT = 64
PENALTY = 0.03  # weight of the squared gradient, with pictures in 0..1
PENALTY_EVERY = 8  # steps; the weight is multiplied by it
BLUR = 0.06  # noise on what the discriminator sees: it hides the data's own pixel noise, which no latent could make
RECIPE = training.Recipe(
    name="glyphs-gan",
    seed=73,
    steps=3000,
    batch=64,
    learning_rate=1e-3,
    architecture=(
        "generator: 64 latent numbers and the label one-hot, a layer to 64 maps of 7x7, a transposed convolution to "
        "48 of 14x14, each followed by a 3x3 convolution, group normalisation, SiLU; a pixel shuffle to 28x28; "
        "discriminator: four strided convolutions (1-32-64-128-128 channels) and a projected label"
    ),
    data="60,000 pictures of the train split, seed 0; figures against 5,000 held-out pictures, seed 0",
)


class GlyphsGan(nn.Module):
    """The generator: images [n, 1, 28, 28] in 0..1 of latents [n, 64] and labels [n]."""

    def __init__(self) -> None:
        super().__init__()
        self.begin = nn.Linear(LATENT + CLASSES, 64 * 49)
        self.paint = nn.Sequential(
            nn.Unflatten(1, (64, 7, 7)),
            nn.GroupNorm(8, 64),
            nn.SiLU(),
            nn.Conv2d(64, 64, 3, 1, 1),
            nn.GroupNorm(8, 64),
            nn.SiLU(),
            nn.ConvTranspose2d(64, 48, 4, 2, 1),  # 14x14
            nn.GroupNorm(8, 48),
            nn.SiLU(),
            nn.Conv2d(48, 48, 3, 1, 1),
            nn.GroupNorm(8, 48),
            nn.SiLU(),
            nn.Conv2d(48, 4, 3, 1, 1),
            nn.PixelShuffle(2),  # 28x28
            nn.Sigmoid(),
        )

    def forward(self, z: Tensor, label: Tensor) -> Tensor:
        one_hot = functional.one_hot(label, CLASSES).to(torch.float32)
        image: Tensor = self.paint(self.begin(torch.cat([z, one_hot], 1)))
        return image


class Discriminator(nn.Module):
    """Realness [n] of images [n, 1, 28, 28] as pictures of their labels [n]."""

    def __init__(self) -> None:
        super().__init__()
        self.look = nn.Sequential(
            nn.Conv2d(1, 32, 4, 2, 1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(32, 64, 4, 2, 1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(64, 128, 3, 2, 1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(128, 128, 4, 1, 0),
            nn.LeakyReLU(0.2),
            nn.Flatten(),
        )
        self.head = nn.Linear(128, 1)
        self.project = nn.Embedding(CLASSES, 128)

    def forward(self, image: Tensor, label: Tensor) -> Tensor:
        features = self.look(2.0 * image - 1.0)
        judged: Tensor = self.head(features)[:, 0] + (features * self.project(label)).sum(1) / 128**0.5
        return judged


class Game:
    """Both networks, their optimisers and the rules of one step."""

    def __init__(self, recipe: training.Recipe) -> None:
        self.generator, self.discriminator = build(), Discriminator()
        for network in (self.generator, self.discriminator):
            training.channels_last(network)
        self.ema = training.Ema(self.generator, 0.998)
        self._recipe = recipe
        self._optimisers = [
            torch.optim.Adam(network.parameters(), recipe.learning_rate, (0.0, 0.99))
            for network in (self.discriminator, self.generator)
        ]

    def step(self, step: int, real: Tensor, label: Tensor) -> dict[str, Tensor]:
        """One update of the discriminator, then one of the generator against it."""
        for optimiser in self._optimisers:
            optimiser.param_groups[0]["lr"] = self._recipe.learning_rate * training.rate(step, self._recipe.steps)
        made = self.generator(torch.randn(len(real), LATENT), label)
        figures = self._teach_discriminator(step, real, made.detach(), label)
        self._teach_generator(real, made, label)
        self.ema.update(self.generator)
        return figures

    def _teach_discriminator(self, step: int, real: Tensor, made: Tensor, label: Tensor) -> dict[str, Tensor]:
        real, made = blur(real).requires_grad_(), blur(made).requires_grad_()
        real_value, made_value = self.discriminator(real, label), self.discriminator(made, label)
        loss = functional.softplus(made_value - real_value).mean()
        figures = {"discriminator_loss": loss, "margin": (real_value - made_value).mean()}
        if step % PENALTY_EVERY == 0:
            slopes = torch.autograd.grad((real_value.sum() + made_value.sum()), (real, made), create_graph=True)
            steepness = sum(slope.square().flatten(1).sum(1).mean() for slope in slopes)
            loss = loss + 0.5 * PENALTY * PENALTY_EVERY * steepness
        self._descend(0, loss)
        return figures

    def _teach_generator(self, real: Tensor, made: Tensor, label: Tensor) -> None:
        self.discriminator.requires_grad_(False)
        lead = self.discriminator(blur(made), label) - self.discriminator(blur(real), label)
        self._descend(1, functional.softplus(-lead).mean())
        self.discriminator.requires_grad_(True)

    def _descend(self, player: int, loss: Tensor) -> None:
        self._optimisers[player].zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        self._optimisers[player].step()


def blur(image: Tensor) -> Tensor:
    """The image with the noise the discriminator sees it through."""
    return image + BLUR * torch.randn_like(image)


def build() -> GlyphsGan:
    """The generator with random weights."""
    return GlyphsGan()


def train(recipe: training.Recipe, progress: training.Progress) -> training.Trained:
    """Play the game; returns the average of the generator's weights."""
    images, labels = glyphs("train", recipe.pictures)
    started = time.monotonic()
    with training.reproducible(recipe.seed):
        game, recorder = Game(recipe), training.Recorder(recipe.steps, progress)
        data = training.batches(images, labels, recipe.batch, recipe.steps, recipe.seed)
        for step, (real, label) in enumerate(data):
            recorder.add(step, game.step(step, real, label))
    return training.Trained(game.ema.model, recorder.curves, time.monotonic() - started)


@torch.no_grad()
def evaluate(model: nn.Module) -> training.Figures:
    """The classifier's verdict on 1,000 samples."""
    return classifier.verdict(samples(model, 1000), classifier.balanced(1000))


@torch.no_grad()
def samples(model: nn.Module, rows: int) -> Tensor:
    """Pictures of standard normal latents, labels 0, 1, …, 9, 0, …"""
    images: Tensor = model(torch.randn(rows, LATENT), classifier.balanced(rows))
    return images
