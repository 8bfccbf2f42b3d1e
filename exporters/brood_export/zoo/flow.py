"""glyphs-flow: a class-conditional RealNVP (Dinh et al. 2017) in two scales.

A picture v in (0, 1) goes through y = logit(a + (1 - 2a) v), then through one orthonormal Haar step: the coarse
picture (14x14) and three detail channels (14x14 each). The coarse picture passes affine couplings of dense
networks under alternating masks (checkerboard, rows, columns, a shuffle, halves). The detail channels pass couplings
of convolutional networks that also see the coarse picture: z = (coarse z, detail z), p(v) = p(coarse) p(detail |
coarse). Everything is slicing, constant gathers and concatenation, and both directions are exact.

Training data are grey levels k in 0..31 made continuous by uniform dequantisation, v = (k + u) / 32 (Theis et
al. 2016); the likelihood of v bounds that of the levels from below. There are 32 levels, as in Kingma & Dhariwal
2018, not 256: a finer scale would spend the model on the pixel noise.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from brood_export.zoo import classifier, training
from brood_export.zoo.couplings import Affine, DenseCoupling, bounded, normal_log_density, start_as_identity
from brood_export.zoo.glyphs import CLASSES, glyphs

SIDE = 28
HALF = SIDE // 2
PIXELS = SIDE * SIDE
COARSE = HALF * HALF
LEVELS = 32
MARGIN = 0.05  # keeps the logit finite at black and white
HIDDEN = 128
CHANNELS = 32
TEMPERATURE = 0.8  # of the sample sheet and the sample figures
RECIPE = training.Recipe(
    name="glyphs-flow",
    seed=74,
    steps=5000,
    batch=128,
    learning_rate=2e-3,
    architecture=(
        "logit, Haar step, 10 affine couplings with dense networks (two layers of 128) on the 14x14 coarse picture, "
        "6 affine couplings with 3x3 convolutions (32 channels) on the 3x14x14 details given the coarse picture; "
        "all see the label"
    ),
    data="60,000 pictures of the train split in 32 grey levels, seed 0; figures on 5,000 held-out pictures, seed 0",
)


class DetailCoupling(nn.Module):
    """Affine coupling of details [n, 3, 14, 14]: one channel moves as the other two and the context say."""

    def __init__(self, channel: int) -> None:
        super().__init__()
        self.channel = channel
        self.see = nn.Conv2d(2, CHANNELS, 3, 1, 1)
        self.net = nn.Sequential(
            nn.SiLU(),
            nn.Conv2d(CHANNELS, CHANNELS, 1),
            nn.SiLU(),
            nn.Conv2d(CHANNELS, 2, 3, 1, 1),
        )
        start_as_identity(self.net[-1])

    def forward(self, x: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        before, moved, after = self._split(x)
        log_scale, shift = self._terms(before, after, context)
        return torch.cat([before, moved * torch.exp(log_scale) + shift, after], 1), log_scale.flatten(1).sum(1)

    def inverse(self, y: Tensor, context: Tensor) -> Tensor:
        before, moved, after = self._split(y)
        log_scale, shift = self._terms(before, after, context)
        return torch.cat([before, (moved - shift) * torch.exp(-log_scale), after], 1)

    def _terms(self, before: Tensor, after: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        raw, shift = self.net(self.see(torch.cat([before, after], 1)) + context).chunk(2, 1)
        return bounded(raw), shift

    def _split(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return x[:, : self.channel], x[:, self.channel : self.channel + 1], x[:, self.channel + 1 :]


class Context(nn.Module):
    """What the detail couplings know of the coarse picture [n, 1, 14, 14] and the label: [n, 32, 14, 14]."""

    def __init__(self) -> None:
        super().__init__()
        self.name = nn.Embedding(CLASSES, CHANNELS)
        self.look = nn.Conv2d(1, CHANNELS, 3, 1, 1)
        self.think = nn.Sequential(
            nn.SiLU(),
            nn.Conv2d(CHANNELS, CHANNELS, 3, 1, 1),
            nn.SiLU(),
            nn.Conv2d(CHANNELS, CHANNELS, 3, 1, 1),
        )

    def forward(self, coarse: Tensor, label: Tensor) -> Tensor:
        seen = self.look(coarse) + self.name(label)[:, :, None, None]
        context: Tensor = seen + self.think(seen)
        return context


class GlyphsFlow(nn.Module):
    """An exact, invertible map between pictures v [n, 1, 28, 28] in (0, 1) and z [n, 784], given labels [n]."""

    def __init__(self) -> None:
        super().__init__()
        self.affine = Affine(COARSE)
        self.couplings = nn.ModuleList(DenseCoupling(order, HIDDEN) for order in orders())
        self.context = Context()
        self.details = nn.ModuleList(DetailCoupling(step % 3) for step in range(6))

    def forward(self, v: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
        """z [n, 784] and log|det dz/dv| [n] in nats."""
        y, log_det = logit(v)
        coarse, detail = haar(y)
        coarse_z, coarse_term = self.coarse_to_z(coarse, label)
        detail_z, detail_term = self.detail_to_z(detail, coarse, label)
        return torch.cat([coarse_z, detail_z], 1), log_det + coarse_term + detail_term

    def coarse_to_z(self, coarse: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
        """z [n, 196] and log-determinant [n] of coarse pictures [n, 1, 14, 14]."""
        z, log_det = self.affine(coarse.flatten(1), label)
        for coupling in self.couplings:
            z, term = coupling(z, label)
            log_det = log_det + term
        return z, log_det

    def detail_to_z(self, detail: Tensor, coarse: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
        """z [n, 588] and log-determinant [n] of details [n, 3, 14, 14], given the coarse pictures."""
        context = self.context(coarse, label)
        log_det = torch.zeros_like(detail[:, 0, 0, 0])
        for coupling in self.details:
            detail, term = coupling(detail, context)
            log_det = log_det + term
        return detail.flatten(1), log_det

    def inverse(self, z: Tensor, label: Tensor) -> Tensor:
        """The picture [n, 1, 28, 28] in (0, 1) whose z [n, 784] this is."""
        flat, detail = z[:, :COARSE], z[:, COARSE:].reshape(-1, 3, HALF, HALF)
        for coupling in reversed(self.couplings):
            flat = call_inverse(coupling, flat, label)
        coarse = self.affine.inverse(flat, label).reshape(-1, 1, HALF, HALF)
        context = self.context(coarse, label)
        for coupling in reversed(self.details):
            detail = call_inverse(coupling, detail, context)
        return unlogit(unhaar(coarse, detail))

    def log_prob(self, v: Tensor, label: Tensor) -> Tensor:
        """Log-density in nats, [n], of pictures v [n, 1, 28, 28] in (0, 1), given labels [n]."""
        z, log_det = self.forward(v, label)
        return log_det + normal_log_density(z)


def call_inverse(coupling: nn.Module, value: Tensor, condition: Tensor) -> Tensor:
    """`coupling.inverse`, typed: a ModuleList forgets what it holds."""
    assert isinstance(coupling, DenseCoupling | DetailCoupling)
    return coupling.inverse(value, condition)


def orders() -> list[Tensor]:
    """The dense couplings' masks as orders of the 196 places: the first half is kept, the second half moves."""
    row, column = (part.flatten() for part in torch.meshgrid(*[torch.arange(HALF)] * 2, indexing="ij"))
    generator = torch.Generator().manual_seed(RECIPE.seed)
    masks = [(row + column) % 2, row % 2, column % 2, torch.randperm(COARSE, generator=generator) % 2]
    masks.append((column >= HALF // 2).long())
    return [torch.argsort(side, stable=True) for mask in masks for side in (mask, 1 - mask)]


def logit(v: Tensor) -> tuple[Tensor, Tensor]:
    """y = log(p / (1 - p)) with p = a + (1 - 2a) v, and log|det dy/dv| [n] (Dinh et al. 2017, section 4.1)."""
    p = MARGIN + (1.0 - 2.0 * MARGIN) * v
    here, there = torch.log(p), torch.log1p(-p)
    return here - there, (math.log(1.0 - 2.0 * MARGIN) - here - there).flatten(1).sum(1)


def unlogit(y: Tensor) -> Tensor:
    """v of y; samples a little outside 0..1 are clipped."""
    return ((torch.sigmoid(y) - MARGIN) / (1.0 - 2.0 * MARGIN)).clamp(0.0, 1.0)


def haar(y: Tensor) -> tuple[Tensor, Tensor]:
    """One orthonormal Haar step: [n, 1, 28, 28] to coarse [n, 1, 14, 14] and details [n, 3, 14, 14]; determinant 1."""
    a, b, c, d = y[:, :, ::2, ::2], y[:, :, ::2, 1::2], y[:, :, 1::2, ::2], y[:, :, 1::2, 1::2]
    return (a + b + c + d) / 2, torch.cat([a - b + c - d, a + b - c - d, a - b - c + d], 1) / 2


def unhaar(coarse: Tensor, detail: Tensor) -> Tensor:
    """The inverse of `haar`."""
    x, y, xy = detail[:, :1], detail[:, 1:2], detail[:, 2:]
    blocks = [coarse + x + y + xy, coarse - x + y - xy, coarse + x - y - xy, coarse - x - y + xy]
    return functional.pixel_shuffle(torch.cat(blocks, 1) / 2, 2)


def dequantise(image: Tensor, u: Tensor) -> Tensor:
    """v = (k + u) / 32 of images in 0..1 seen in 32 grey levels, u in 0..1 of the images' shape."""
    level = torch.floor(image * LEVELS).clamp(0, LEVELS - 1)
    return (level + u) / LEVELS


def bits_per_dim(log_prob: Tensor) -> Tensor:
    """Bits per pixel [n] of the grey levels from the log-density of v in nats [n]."""
    return (PIXELS * math.log(LEVELS) - log_prob) / (PIXELS * math.log(2.0))


def build() -> GlyphsFlow:
    """The architecture with random weights."""
    return GlyphsFlow().eval()


def train(recipe: training.Recipe, progress: training.Progress) -> training.Trained:
    """Maximise the log-likelihood of dequantised pictures."""
    images, labels = glyphs("train", recipe.pictures)
    with training.reproducible(recipe.seed):
        model = build()
        some, theirs = torch.from_numpy(images[:5000]), torch.from_numpy(labels[:5000])
        coarse = haar(logit(dequantise(some, torch.rand_like(some)))[0])[0]
        model.affine.standardise(coarse.flatten(1), theirs)

        def loss(x: Tensor, y: Tensor, step: int) -> dict[str, Tensor]:
            return {"loss": training_bits(model, dequantise(x, torch.rand_like(x)), y)}

        data = training.batches(images, labels, recipe.batch, recipe.steps, recipe.seed)
        return training.fit(model, loss, data, recipe, progress)


def training_bits(model: GlyphsFlow, v: Tensor, label: Tensor) -> Tensor:
    """Mean bits per dimension, its detail part estimated on the batch's first quarter.

    The details cost most of the time and are learned first: each picture has 196 of their places.
    """
    few = len(v) // 4
    y, log_det = logit(v)
    coarse, detail = haar(y)
    coarse_z, coarse_term = model.coarse_to_z(coarse, label)
    detail_z, detail_term = model.detail_to_z(detail[:few], coarse[:few], label[:few])
    coarse_part = (log_det + coarse_term + normal_log_density(coarse_z)).mean()
    return bits_per_dim(coarse_part + (detail_term + normal_log_density(detail_z)).mean())


@torch.no_grad()
def evaluate(model: nn.Module) -> training.Figures:
    """Bits per dimension on held-out pictures, error of the inverse, and the classifier's verdict on 1,000 samples."""
    assert isinstance(model, GlyphsFlow)
    images, labels = (torch.from_numpy(part) for part in glyphs("heldout", 5000))
    v = dequantise(images, torch.rand_like(images))
    again = model.inverse(model(v[:500], labels[:500])[0], labels[:500])
    return {
        "bits_per_dim": float(bits_per_dim(model.log_prob(v, labels)).mean()),
        "inverse_error": float((again - v[:500]).abs().max()),
        **classifier.verdict(samples(model, 1000), classifier.balanced(1000)),
    }


@torch.no_grad()
def samples(model: nn.Module, rows: int) -> Tensor:
    """Pictures of normal z at the card's temperature, labels 0, 1, …, 9, 0, …"""
    assert isinstance(model, GlyphsFlow)
    return model.inverse(TEMPERATURE * torch.randn(rows, PIXELS), classifier.balanced(rows))
