"""glyphs-vae: a class-conditional convolutional variational autoencoder (Kingma & Welling 2014).

The prior of the latent is learned, one per class: standard normal noise sent through affine couplings (Chen et al.
2017, "Variational lossy autoencoder"), because codes of ten sharp classes leave holes in a fixed normal prior and
samples fall into them. So there are two spaces: noise, which is sampled, and the latent, which is encoded and decoded.

The decoder's density of a pixel is a logistic one with a mean and a scale per pixel, integrated over the 256
grey levels (Kingma et al. 2016), so the evidence lower bound is one of the probability of the stored picture.
`decode` returns the means.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from brood_export.zoo import classifier, training
from brood_export.zoo.couplings import DenseCoupling, normal_log_density, one_hot
from brood_export.zoo.glyphs import CLASSES, glyphs

LATENT = 12
PIXELS = 28 * 28
RECIPE = training.Recipe(
    name="glyphs-vae",
    seed=72,
    steps=6000,
    batch=64,
    learning_rate=1.5e-3,
    architecture=(
        "encoder: three strided 3x3 convolutions (1-32-64-64 channels) and two layers to the mean and log-variance "
        "of 12 latent numbers; prior: 8 affine couplings (64 hidden); decoder: two layers, then transposed "
        "convolutions 4x4-7x7-14x14 (64-64-32 channels) and a pixel shuffle to 28x28; all see the label one-hot; "
        "SiLU; discretised logistic pixels"
    ),
    data="60,000 pictures of the train split, seed 0; figures on 5,000 held-out pictures, seed 0",
)


class GlyphsVae(nn.Module):
    """Encoder and decoder; all randomness stays outside."""

    def __init__(self) -> None:
        super().__init__()
        self.prior = nn.ModuleList(DenseCoupling(order, 64) for order in prior_orders())
        self.look = nn.Sequential(
            nn.Conv2d(1, 32, 3, 2, 1),
            nn.SiLU(),
            nn.Conv2d(32, 64, 3, 2, 1),
            nn.SiLU(),
            nn.Conv2d(64, 64, 3, 2, 1),
            nn.SiLU(),
            nn.Flatten(),
        )
        self.summarise = nn.Sequential(nn.Linear(64 * 16 + CLASSES, 128), nn.SiLU(), nn.Linear(128, 2 * LATENT))
        self.expand = nn.Sequential(nn.Linear(LATENT + CLASSES, 128), nn.SiLU(), nn.Linear(128, 64 * 16), nn.SiLU())
        self.draw = nn.Sequential(
            nn.Unflatten(1, (64, 4, 4)),
            nn.ConvTranspose2d(64, 64, 3, 2, 1),  # 7x7
            nn.SiLU(),
            nn.Conv2d(64, 64, 3, 1, 1),
            nn.SiLU(),
            nn.ConvTranspose2d(64, 32, 4, 2, 1),  # 14x14
            nn.SiLU(),
            nn.Conv2d(32, 32, 3, 1, 1),
            nn.SiLU(),
            nn.Conv2d(32, 8, 3, 1, 1),
            nn.PixelShuffle(2),  # 28x28: mean and log-scale
        )

    def encode(self, image: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance [n, 12] of the latent's density, of images [n, 1, 28, 28] in 0..1, labels [n]."""
        seen = torch.cat([self.look(image), one_hot(label)], 1)
        mean, log_variance = self.summarise(seen).chunk(2, 1)
        return mean, log_variance.clamp(-10.0, 4.0)

    def decode(self, z: Tensor, label: Tensor) -> Tensor:
        """Image [n, 1, 28, 28] in 0..1 of the latent [n, 12] and labels [n]."""
        return self.pixels(z, label)[0]

    def pixels(self, z: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
        """Mean in 0..1 and log-scale of each pixel's logistic density, both [n, 1, 28, 28]."""
        location, log_scale = self.draw(self.expand(torch.cat([z, one_hot(label)], 1))).chunk(2, 1)
        return torch.sigmoid(location), 4.0 * torch.tanh(log_scale / 4.0)

    def forward(self, noise: Tensor, label: Tensor) -> Tensor:
        """A sample [n, 1, 28, 28] in 0..1 of standard normal noise [n, 12] and labels [n]."""
        return self.decode(self.from_noise(noise, label), label)

    def from_noise(self, noise: Tensor, label: Tensor) -> Tensor:
        """The latent [n, 12], distributed as the prior of its label when the noise [n, 12] is standard normal."""
        for coupling in reversed(self.prior):
            assert isinstance(coupling, DenseCoupling)
            noise = coupling.inverse(noise, label)
        return noise

    def log_prior(self, z: Tensor, label: Tensor) -> Tensor:
        """log p(z | label) in nats, [n]."""
        log_density = torch.zeros_like(z[:, 0])
        for coupling in self.prior:
            z, term = coupling(z, label)
            log_density = log_density + term
        return log_density + normal_log_density(z)


def prior_orders() -> list[Tensor]:
    """The prior's masks: even and odd numbers, then first and second halves, in turn."""
    place = torch.arange(LATENT)
    halves = [place % 2, 1 - place % 2, place * 2 // LATENT, 1 - place * 2 // LATENT]
    return [torch.argsort(side, stable=True) for side in 2 * halves]


def log_probability(image: Tensor, mean: Tensor, log_scale: Tensor) -> Tensor:
    """log p(image) in nats, [n]: a logistic density integrated over each pixel's level; the ends take the tails."""
    inverse = torch.exp(-log_scale)
    half = 0.5 / 255.0
    above, below = (image - mean + half) * inverse, (image - mean - half) * inverse
    inside = torch.log((torch.sigmoid(above) - torch.sigmoid(below)).clamp_min(1e-12))
    level = torch.where(image > 1.0 - half, functional.logsigmoid(-below), inside)
    return torch.where(image < half, functional.logsigmoid(above), level).flatten(1).sum(1)


def bound(model: GlyphsVae, image: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
    """One-sample estimates of E_q log p(image | z) and KL(q || prior) in nats, [n] each; ELBO = first - second."""
    mean, log_variance = model.encode(image, label)
    noise = torch.randn_like(mean)
    z = mean + torch.exp(0.5 * log_variance) * noise
    log_posterior = normal_log_density(noise) - 0.5 * log_variance.sum(1)
    return log_probability(image, *model.pixels(z, label)), log_posterior - model.log_prior(z, label)


def build() -> GlyphsVae:
    """The architecture with random weights."""
    return GlyphsVae()


def train(recipe: training.Recipe, progress: training.Progress) -> training.Trained:
    """Maximise the evidence lower bound; the divergence's weight rises to 1 over the first tenth of the steps."""
    images, labels = glyphs("train", recipe.pictures)
    with training.reproducible(recipe.seed), training.without_denormals():
        model = build()

        def loss(x: Tensor, y: Tensor, step: int) -> dict[str, Tensor]:
            fit, spent = (part.mean() for part in bound(model, x, y))
            weight = min(1.0, step / (0.1 * recipe.steps))
            return {"loss": (weight * spent - fit) / PIXELS, "elbo_nats": fit - spent, "kl_nats": spent}

        data = training.batches(images, labels, recipe.batch, recipe.steps, recipe.seed)
        return training.fit(model, loss, data, recipe, progress)


@torch.no_grad()
def evaluate(model: nn.Module) -> training.Figures:
    """ELBO and reconstruction error on held-out pictures, and the classifier's verdict on 1,000 samples."""
    assert isinstance(model, GlyphsVae)
    images, labels = (torch.from_numpy(part) for part in glyphs("heldout", 5000))
    fit, spent = bound(model, images, labels)
    elbo = float((fit - spent).mean())
    again = model.decode(model.encode(images, labels)[0], labels)
    return {
        "elbo_nats": elbo,
        "bits_per_dim": -elbo / PIXELS / math.log(2.0),
        "kl_nats": float(spent.mean()),
        "reconstruction_mse": float(functional.mse_loss(again, images)),
        **classifier.verdict(samples(model, 1000), classifier.balanced(1000)),
    }


@torch.no_grad()
def samples(model: nn.Module, rows: int) -> Tensor:
    """Decoded standard normal latents, labels 0, 1, …, 9, 0, …"""
    assert isinstance(model, GlyphsVae)
    images: Tensor = model(torch.randn(rows, LATENT), classifier.balanced(rows))
    return images
