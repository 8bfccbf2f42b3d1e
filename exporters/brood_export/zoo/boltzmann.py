"""glyphs-boltzmann: a fully connected Boltzmann machine with hidden units over 11x11 pictures and ten label units.

    E(x) = -1/2 x'Wx - b'x,   x in {0, 1}^N,   W symmetric with zero diagonal
    p(x_i=1 | rest) = sigmoid(f_i / T),   f = Wx + b

(Ackley, Hinton & Sejnowski 1985). The units are the pixels in raster order, the label one-hot, then the hidden
units; every pair is connected. One sweep updates the units *one after another*, each with the field that all
earlier updates have already changed. Updating all at once from the same field is not Gibbs sampling: it has
another stationary distribution (for two units that exclude each other it jumps between none and both).

A picture of a wanted label is a completion: the label's units are clamped while the temperature falls from high
to 1 (`SCHEDULE`). The picture shown is p(x_i=1 | rest) after the last sweep. Training is the difference of two
phases: data with sampled hidden units against samples of the machine under the same labels, which come from annealed
Markov chains (module `chains`). Labels are a condition, never a guess: always clamp them, also when completing.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from brood_export.families.gibbs import FullMachine, bars, sweep
from brood_export.zoo import classifier, training
from brood_export.zoo.chains import Chains, temperatures
from brood_export.zoo.glyphs import CLASSES, Split, glyphs

SIDE = 11
PIXELS = SIDE * SIDE
Floats = npt.NDArray[np.float32]
RECIPE = training.Recipe(
    name="glyphs-boltzmann",
    seed=9,
    steps=8000,
    batch=100,
    learning_rate=5e-3,
    architecture="121 pixel, 10 label and 48 hidden units, every pair connected",
    data="30,000 pictures of the train split, seed 0, 13x13 cut to 11x11 and made binary",
    pictures=30_000,
)
CHAINS = 150
SWEEPS_PER_STEP = 5
SCHEDULE = temperatures(sweeps=75, hottest=3.0, falling=1 / 3)
HIDDEN_SWEEPS = 3  # in the phase that is clamped to data
ENUMERABLE = 12  # units


class GlyphsBoltzmann(FullMachine):
    """Couplings and biases; every random number is an input."""

    def __init__(self, pixels: int = PIXELS, labels: int = CLASSES, hidden: int = 48) -> None:
        units = pixels + labels + hidden
        super().__init__(0.02 * torch.randn(units, units), torch.zeros(units), labels)
        self.pixels, self.hidden = pixels, hidden

    def energy(self, x: Tensor) -> Tensor:
        """E(x), [n]."""
        return -0.5 * ((x @ self.couplings()) * x).sum(1) - x @ self.bias

    def label_units(self, label: Tensor) -> tuple[Tensor, Tensor]:
        """Mask and known values [n, N] that clamp the label units to labels int64 [n] and leave the rest free."""
        one_hot = (label[:, None] == torch.arange(self.labels)).to(torch.float32)
        around = (self.pixels, self.hidden)
        return functional.pad(torch.ones_like(one_hot), around), functional.pad(one_hot, around)


@torch.no_grad()
def enumerate_states(model: GlyphsBoltzmann) -> Tensor:
    """The machine's exact distribution, [2^N] float64; unit i is bit i of the state's number.

    Raises ValueError above 12 units, where the states are too many for a quick check.
    """
    units = len(model.bias)
    if units > ENUMERABLE:
        raise ValueError(f"the machine has {units} units; allowed are at most {ENUMERABLE}")
    every = (torch.arange(2**units)[:, None] >> torch.arange(units)) & 1
    return torch.softmax(-model.energy(every.float()).double(), 0)


def total_variation(exact: Tensor, x: Tensor) -> float:
    """Total variation distance between an exact distribution [2^N] and the states x [n, N] drawn by a sampler."""
    numbers = (x.long() << torch.arange(x.shape[1])).sum(1)
    return 0.5 * float((torch.bincount(numbers, minlength=len(exact)) / len(x) - exact).abs().sum())


@torch.no_grad()
def anneal(model: GlyphsBoltzmann, schedule: list[float], mask: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
    """Units and field [n, N] after sweeps at the schedule's temperatures from noise, with clamped units."""
    couplings, x = model.couplings(), (torch.rand_like(known) < 0.5).float()
    field = model.field(x)
    for temperature in schedule:
        heat = torch.full((len(x),), temperature)
        x, field = sweep(couplings, x, field, bars(heat, torch.rand_like(x), mask, known))
    return x, field


def build() -> GlyphsBoltzmann:
    """The architecture with random weights."""
    return GlyphsBoltzmann()


def train(recipe: training.Recipe, progress: training.Progress) -> training.Trained:
    """Follow the likelihood's gradient; the loss is the difference of energies, which hovers around 0."""
    images, labels = pictures("train", recipe.pictures)
    with training.reproducible(recipe.seed):
        model = build()
        mask, known = model.label_units(classifier.balanced(CHAINS))
        chains = Chains(mask, known, SCHEDULE, SWEEPS_PER_STEP)

        def walk(x: Tensor, heat: Tensor) -> Tensor:
            couplings, field = model.couplings(), model.field(x)
            for temperature in heat:
                x, field = sweep(couplings, x, field, bars(temperature, torch.rand_like(x), mask, known))
            return x

        def loss(x: Tensor, y: Tensor, step: int) -> dict[str, Tensor]:
            with torch.no_grad():
                awake, dreams = explain(model, x, y), chains.advance(walk)
            return {"loss": model.energy(awake).mean() - model.energy(dreams).mean()}

        data = training.batches(images, labels, recipe.batch, recipe.steps, recipe.seed)
        return training.fit(model, loss, data, recipe, progress, weight_decay=0.01)


def explain(model: GlyphsBoltzmann, images: Tensor, labels: Tensor) -> Tensor:
    """All units [n, N]: binary pictures and labels, and hidden units drawn given them by sequential sweeps."""
    visible = torch.cat([images.flatten(1), model.label_units(labels)[1][:, model.pixels : -model.hidden]], 1)
    couplings, seen = model.couplings(), visible.shape[1]
    drive = visible @ couplings[:seen, seen:] + model.bias[seen:]
    within = couplings[seen:, seen:]
    h = (torch.rand_like(drive) < torch.sigmoid(drive)).float()
    field, free, one = drive + h @ within, torch.zeros_like(h), torch.ones(len(h))
    for _ in range(HIDDEN_SWEEPS):
        h, field = sweep(within, h, field, bars(one, torch.rand_like(h), free, free))
    return torch.cat([visible, h], 1)


def pictures(split: Split, count: int) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Binary pictures float32 [count, 1, 11, 11] of a split, and their labels."""
    grey, labels = glyphs(split, count, SIDE + 2)
    return binary(grey[:, :, 1:-1, 1:-1]), labels


def binary(grey: Floats) -> Floats:
    """Pictures [n, 1, h, w] with every pixel 0 or 1.

    The threshold is a share of each picture's eighth brightest pixel: thin strokes are grey at this size and would
    break under a common one.
    """
    bright = np.sort(grey.reshape(len(grey), -1), 1)[:, -8]
    return (grey > 0.45 * bright[:, None, None, None]).astype(np.float32)


@torch.no_grad()
def samples(model: nn.Module, rows: int) -> Tensor:
    """Pixel probabilities given all other units after the annealed walk, clamped labels 0, 1, …, 9, 0, …"""
    assert isinstance(model, GlyphsBoltzmann)
    _, field = anneal(model, SCHEDULE, *model.label_units(classifier.balanced(rows)))
    return torch.sigmoid(field[:, : model.pixels]).view(rows, 1, SIDE, SIDE)


@torch.no_grad()
def evaluate(model: nn.Module) -> training.Figures:
    """Pseudo-likelihood, what the classifier sees in 1,000 enlarged samples, and the sampler against enumeration.

    The sampler's figure is for a random machine of 8 units and 20,000 chains; beside it stands the distance of
    equally many independent exact draws, which no sampler beats on average.
    """
    assert isinstance(model, GlyphsBoltzmann)
    images, labels = (torch.from_numpy(part) for part in pictures("heldout", 2000))
    enlarged = functional.interpolate(samples(model, 1000), size=(28, 28), mode="bilinear")
    verdict = classifier.verdict(enlarged, classifier.balanced(1000))
    return {
        "pseudo_nats_per_pixel": pseudo_nats(model, explain(model, images[:60], labels[:60])),
        "sample_accuracy": verdict["sample_accuracy"],
        "class_coverage": verdict["class_coverage"],
        **against_enumeration(units=8, chains=20_000),
    }


def against_enumeration(units: int, chains: int) -> training.Figures:
    """Total variation between annealed chains of a random machine and its exact distribution, and the floor."""
    small = GlyphsBoltzmann(pixels=units, labels=0, hidden=0)
    nn.init.normal_(small.weight)
    exact = enumerate_states(small)
    free = torch.zeros(chains, units)
    x, _ = anneal(small, temperatures(sweeps=60, hottest=3.0, falling=0.5), free, free)
    numbers = torch.multinomial(exact, chains, replacement=True)
    drawn = (numbers[:, None] >> torch.arange(units)) & 1
    return {"total_variation": total_variation(exact, x), "total_variation_floor": total_variation(exact, drawn)}


@torch.no_grad()
def pseudo_nats(model: GlyphsBoltzmann, x: Tensor) -> float:
    """Mean of -log p(x_i | all other visible units) over the pixels of states [n, N].

    The hidden units are summed out by sampling: one chain per picture and pixel with all other visible units
    clamped; the pixel's probability is averaged over the later half of its sweeps.
    """
    visible, sweeps = model.pixels + model.labels, 20
    known = x.repeat_interleave(model.pixels, 0)
    free = torch.eye(model.pixels, x.shape[1]).repeat(len(x), 1)
    mask = (torch.arange(x.shape[1]) < visible).float() - free
    couplings, field, state = model.couplings(), model.field(known), known
    mean, heat = torch.zeros(len(known)), torch.ones(len(known))
    for k in range(sweeps):
        state, field = sweep(couplings, state, field, bars(heat, torch.rand_like(state), mask, known))
        if k >= sweeps // 2:
            mean += (torch.sigmoid(field) * free).sum(1) / (sweeps - sweeps // 2)
    return float(functional.binary_cross_entropy(mean.clamp(1e-6, 1 - 1e-6), (known * free).sum(1)))
