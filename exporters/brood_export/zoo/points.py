"""points-diffusion: a class-conditional denoiser of points in the plane, a small dense network (Ho et al. 2020).

A call costs next to nothing: whoever serves it pays for calls, not for arithmetic. The four classes are rings, moons,
a spiral and a grid of nine Gaussians, each with about unit variance per coordinate. The network predicts the noise
on the linear levels; hidden labels teach what all classes are together.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from brood_export.zoo import denoising, training

KINDS = ("rings", "moons", "spiral", "grid")
CLASSES = len(KINDS)
NULL = CLASSES  # the label that says nothing
SHAPE = (2,)
CLIP = 3.0  # predictions of x0 stay inside; no point is further out
HIDDEN, LAYERS = 128, 3
WAVES = 3  # frequencies at which the network sees a point: 1, 2, 4 radians per unit
VECTOR = 16  # numbers; runtimes take sines of so many at once, and of a remainder otherwise, with other last bits
STEPS = 50
INSIDE = np.array([0.5, 0.25])  # how far a moon is moved into the other, in its radii
SPIRAL_MEAN = np.array([-0.36, -0.06])
SPACING = 1.2  # of the grid's Gaussians
NEAR = 0.15  # two points this close count as one place
RECIPE = training.Recipe(
    name="points-diffusion",
    seed=79,
    steps=32_000,
    batch=512,
    learning_rate=2e-3,
    architecture=(
        "a layer of the point and its cosines and sines at three frequencies, three residual layers of 128 with SiLU, "
        "each multiplied by a context made of the time's cosines and sines and a label embedding, a layer to the "
        "noise; linear levels, 12 % of the labels hidden"
    ),
    data="60,000 points in the plane, seed 0: rings, moons, a spiral, a grid of Gaussians; figures on 8,000 others",
)

Split = Literal["train", "heldout"]
Floats = npt.NDArray[np.float64]
SPLITS: dict[Split, int] = {"train": 1, "heldout": 2}  # part of the random numbers' key


class PointsDiffusion(nn.Module):
    """The noise [n, 2] in noisy points [n, 2] of levels t [n] float32 in 0…999 and labels [n] in 0…4."""

    def __init__(self) -> None:
        super().__init__()
        self.time = nn.Sequential(denoising.TimeFeatures(16), nn.Linear(32, HIDDEN))
        self.label = nn.Embedding(CLASSES + 1, HIDDEN)
        self.modulate = nn.Linear(HIDDEN, LAYERS * HIDDEN)
        self.register_buffer("waves", waves(), persistent=False)
        self.begin = nn.Linear(2 + 4 * WAVES, HIDDEN)
        self.layers = nn.ModuleList(nn.Linear(HIDDEN, HIDDEN) for _ in range(LAYERS))
        self.end = nn.Linear(HIDDEN, 2)

    def forward(self, x: Tensor, t: Tensor, label: Tensor) -> Tensor:
        context = functional.silu(self.time(t) + self.label(label))
        angles, seen = x @ self.get_buffer("waves"), 2 * WAVES
        h = self.begin(torch.cat([x, torch.cos(angles)[:, :seen], torch.sin(angles)[:, :seen]], 1))
        for layer, factor in zip(self.layers, self.modulate(context).chunk(LAYERS, 1), strict=True):
            h = h + layer(functional.silu(h * factor))
        noise: Tensor = self.end(functional.silu(h))
        return noise


def waves() -> Tensor:
    """A point [2] times this [2, VECTOR] is its angles, 2 for each frequency, and zeros.

    They fill whole vectors, so that no row's sines depend on its place in the batch.
    """
    factors = torch.zeros(2, VECTOR)
    for k in range(WAVES):
        factors[0, 2 * k] = factors[1, 2 * k + 1] = 2.0**k
    return factors


def points(split: Split, count: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """`count` points, float32 [count, 2], and their labels 0, 1, 2, 3, 0, …, int64 [count]."""
    draw = np.random.Generator(np.random.Philox(np.random.SeedSequence([0, SPLITS[split]])))
    labels = np.arange(count) % CLASSES
    shapes = np.stack([shape(draw, count) for shape in (rings, moons, spiral, grid)])
    return shapes[labels, np.arange(count)].astype(np.float32), labels


def rings(draw: np.random.Generator, count: int) -> Floats:
    """Two circles around the origin, of mean square radius 2."""
    radius = np.where(draw.random(count) < 0.35, 0.7, 1.68)
    return blurred(draw, polar(radius, 2.0 * math.pi * draw.random(count)), 0.05)


def moons(draw: np.random.Generator, count: int) -> Floats:
    """Two half circles, each with its end inside the other."""
    angle, upper = math.pi * draw.random(count), draw.random(count) < 0.5
    arc = polar(np.ones(count), angle)
    return blurred(draw, np.where(upper[:, None], arc - INSIDE, INSIDE - arc) * [1.15, 2.0], 0.06)


def spiral(draw: np.random.Generator, count: int) -> Floats:
    """One arm of one and three quarter turns, evenly dense along the radius's square."""
    turn = np.sqrt(draw.uniform(0.02, 1.0, count))
    return blurred(draw, polar(2.0 * turn, 3.5 * math.pi * turn) - SPIRAL_MEAN, 0.05)


def grid(draw: np.random.Generator, count: int) -> Floats:
    """Nine Gaussians at equal distances."""
    return blurred(draw, draw.integers(-1, 2, (count, 2)).astype(np.float64) * SPACING, 0.1)


def polar(radius: Floats, angle: Floats) -> Floats:
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], -1)


def blurred(draw: np.random.Generator, places: Floats, deviation: float) -> Floats:
    """The places [n, 2], each moved by normal noise."""
    moved: Floats = places + draw.normal(0.0, deviation, places.shape)
    return moved


def build() -> PointsDiffusion:
    """The architecture with random weights."""
    return PointsDiffusion()


def train(recipe: training.Recipe, progress: training.Progress) -> training.Trained:
    """Minimise the error of the noise over all levels; returns the average of the weights."""
    places, labels = points("train", recipe.pictures)
    shares = denoising.linear_shares()
    with training.reproducible(recipe.seed), training.without_denormals():
        model = build()

        def loss(x: Tensor, y: Tensor, step: int) -> dict[str, Tensor]:
            return {"loss": denoising.loss(model, x, y, NULL, shares, "epsilon")}

        data = training.batches(places, labels, recipe.batch, recipe.steps, recipe.seed)
        return training.fit(model, loss, data, recipe, progress)


@torch.no_grad()
def evaluate(model: nn.Module) -> training.Figures:
    """Distances of 8,000 samples from as many held-out points, the data's own from others, and fewer steps'."""
    places, labels = (torch.from_numpy(part) for part in points("heldout", 8000))
    others = torch.from_numpy(points("train", 8000)[0])
    mse = denoising.loss(model, places, labels, NULL, denoising.linear_shares(), "epsilon")
    figures = {"epsilon_mse": float(mse), **verdict(samples(model, 8000), places, labels)}
    figures["energy_distance_of_data"] = verdict(others, places, labels)["energy_distance"]
    for steps in (4, 10, 20):
        seen = verdict(draw(model, labels, steps, 1.0), places, labels)
        figures[f"energy_distance_{steps}_steps"] = seen["energy_distance"]
    return figures


def verdict(drawn: Tensor, real: Tensor, label: Tensor) -> training.Figures:
    """How like the points `real` [n, 2] are the points `drawn` [n, 2], both of labels [n].

    energy_distance (Szekely & Rizzo 2013, its square) and sliced_wasserstein (Bonneel et al. 2015) are means over the
    classes; precision is the share of samples with a real point nearby and recall of real points with a sample
    nearby, in the worst class; grid_least_share is the rarest of the nine Gaussians' share, times nine.
    """
    pairs = [(drawn[label == c], real[label == c]) for c in range(CLASSES)]
    gaps = [torch.cdist(a, b) for a, b in pairs]
    within = [torch.cdist(a, a).mean() + torch.cdist(b, b).mean() for a, b in pairs]
    energy = [2.0 * gap.mean() - inner for gap, inner in zip(gaps, within, strict=True)]
    return {
        "energy_distance": float(torch.stack(energy).mean()),
        "sliced_wasserstein": float(torch.stack([sliced(a, b) for a, b in pairs]).mean()),
        "precision": min(float((gap.min(1).values < NEAR).float().mean()) for gap in gaps),
        "recall": min(float((gap.min(0).values < NEAR).float().mean()) for gap in gaps),
        "grid_least_share": least_share(pairs[KINDS.index("grid")][0]),
    }


def sliced(a: Tensor, b: Tensor) -> Tensor:
    """Mean distance between the sorted shadows of points [n, 2] and [n, 2] on lines in 64 directions."""
    angle = torch.arange(64) * (math.pi / 64)
    lines = torch.stack([torch.cos(angle), torch.sin(angle)])
    return ((a @ lines).sort(0).values - (b @ lines).sort(0).values).abs().mean()


def least_share(drawn: Tensor) -> float:
    """The share, times nine, of the Gaussian of the grid that the fewest of the points [n, 2] are near to."""
    cell = (drawn / SPACING).round().clamp(-1.0, 1.0).long() + 1
    return float(torch.bincount(3 * cell[:, 0] + cell[:, 1], minlength=9).min()) * 9.0 / len(drawn)


def samples(model: nn.Module, rows: int) -> Tensor:
    """Points [rows, 2] of standard normal noise after 50 unguided steps, labels 0, 1, 2, 3, 0, …"""
    return draw(model, torch.arange(rows) % CLASSES, STEPS, 1.0)


def draw(model: nn.Module, label: Tensor, steps: int, guidance: float) -> Tensor:
    """Points [n, 2] of labels [n] in 0…4, by the deterministic sampler from torch's noise."""
    return denoising.ddim(
        denoising.guided(model, NULL, guidance),
        torch.randn(len(label), *SHAPE),
        label,
        shares=denoising.linear_shares(),
        predicts="epsilon",
        steps=steps,
        clip=CLIP,
    )
