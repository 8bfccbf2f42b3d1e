"""glyphs-rbm: a restricted Boltzmann machine over 28x28 pictures and ten label units.

    E(v, h) = -v'Wh - b'v - c'h,   v and h in {0, 1}
    p(h=1 | v) = sigmoid((W'v + c) / T),   p(v=1 | h) = sigmoid((Wh + b) / T)

The visible units are the pixels in raster order, then the label one-hot. A picture of a wanted label is a
completion: the label's units are clamped and block Gibbs sampling fills in the rest while the temperature falls
from high to 1 (`SCHEDULE`). The picture shown is the probability p(v=1 | h) of the last sweep.

Training raises the likelihood p(picture | label): its gradient is the difference of the free energy's gradients
at data and at samples of the machine under the same labels, which come from annealed Markov chains (module
`chains`). Labels are a condition, never a guess: always clamp them, also when a picture is completed.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from brood_export.families.gibbs import RestrictedMachine
from brood_export.zoo import classifier, training
from brood_export.zoo.chains import Chains, temperatures
from brood_export.zoo.glyphs import CLASSES, glyphs

SIDE = 28
PIXELS = SIDE * SIDE
RECIPE = training.Recipe(
    name="glyphs-rbm",
    seed=8,
    steps=7500,
    batch=100,
    learning_rate=2e-3,
    architecture="784 pixel and 10 label units, 400 hidden units, a weight between each visible and each hidden unit",
    data="60,000 pictures of the train split, seed 0, contrast stretched and drawn as binary anew in every step",
)
CHAINS = 200
SWEEPS_PER_STEP = 4
SCHEDULE = temperatures(sweeps=100, hottest=3.0, falling=0.6)


class GlyphsRbm(RestrictedMachine):
    """Weights and the block Gibbs step; every random number is an input."""

    def __init__(self, pixels: int = PIXELS, labels: int = CLASSES, hidden: int = 400) -> None:
        visible = pixels + labels
        super().__init__(0.01 * torch.randn(visible, hidden), torch.zeros(visible), torch.zeros(hidden), labels)
        self.pixels = pixels

    def free_energy(self, v: Tensor) -> Tensor:
        """F(v) = -b'v - sum_j softplus((W'v + c)_j), [n]: p(v) is proportional to exp(-F(v))."""
        return -(v @ self.visible_bias) - functional.softplus(v @ self.weight + self.hidden_bias).sum(1)

    def label_units(self, label: Tensor) -> tuple[Tensor, Tensor]:
        """Mask and known values [n, V] that clamp the label units to labels int64 [n] and leave the pixels free."""
        one_hot = (label[:, None] == torch.arange(self.labels)).to(torch.float32)
        known = functional.pad(one_hot, (self.pixels, 0))
        return functional.pad(torch.ones_like(one_hot), (self.pixels, 0)), known


def build() -> GlyphsRbm:
    """The architecture with random weights."""
    return GlyphsRbm()


def train(recipe: training.Recipe, progress: training.Progress) -> training.Trained:
    """Follow the likelihood's gradient; the loss is the difference of free energies, which hovers around 0."""
    images, labels = glyphs("train", recipe.pictures)
    with training.reproducible(recipe.seed):
        model = build()
        shade = ink(torch.from_numpy(images)).mean(0).clamp(0.01, 0.99)
        with torch.no_grad():  # the best machine without hidden units (Hinton 2012, section 8)
            model.visible_bias[: model.pixels] = torch.log(shade / (1.0 - shade))
        mask, known = model.label_units(classifier.balanced(CHAINS))
        chains = Chains(mask, known, SCHEDULE, SWEEPS_PER_STEP)

        def walk(v: Tensor, heat: Tensor) -> Tensor:
            for temperature in heat:
                v, _, _ = model.sweep(v, temperature, torch.rand(len(v), units(model)), mask, known)
            return v

        def loss(x: Tensor, y: Tensor, step: int) -> dict[str, Tensor]:
            with torch.no_grad():
                dreams = chains.advance(walk)
            gap = model.free_energy(binary(model, x, y)).mean() - model.free_energy(dreams).mean()
            return {"loss": gap}

        data = training.batches(images, labels, recipe.batch, recipe.steps, recipe.seed)
        return training.fit(model, loss, data, recipe, progress, weight_decay=0.01)


def units(model: GlyphsRbm) -> int:
    """Uniform numbers one sweep takes."""
    return len(model.visible_bias) + len(model.hidden_bias)


def ink(images: Tensor) -> Tensor:
    """Probability [n, pixels] that a pixel is 1: the grey value, stretched so that noise on the ground stays 0."""
    return ((images.flatten(1) - 0.1) / 0.8).clamp(0.0, 1.0)


def binary(model: GlyphsRbm, images: Tensor, labels: Tensor) -> Tensor:
    """Visible units [n, V] of pictures and labels; each pixel is drawn with its ink as probability."""
    shade = ink(images)
    return torch.cat([(torch.rand_like(shade) < shade).float(), model.label_units(labels)[1][:, model.pixels :]], 1)


@torch.no_grad()
def generate(model: GlyphsRbm, mask: Tensor, known: Tensor) -> Tensor:
    """Visible probabilities [n, V] after the annealed walk from noise, with clamped units (`GlyphsRbm.sweep`)."""
    v = (torch.rand_like(known) < 0.5).float()
    mean = v
    for temperature in SCHEDULE:
        heat = torch.full((len(v),), temperature)
        v, _, mean = model.sweep(v, heat, torch.rand(len(v), units(model)), mask, known)
    return mean


@torch.no_grad()
def samples(model: nn.Module, rows: int) -> Tensor:
    """Pictures generated with clamped labels 0, 1, …, 9, 0, …"""
    assert isinstance(model, GlyphsRbm)
    visible = generate(model, *model.label_units(classifier.balanced(rows)))
    return visible[:, : model.pixels].view(rows, 1, SIDE, SIDE)


@torch.no_grad()
def evaluate(model: nn.Module) -> training.Figures:
    """Free energies, pseudo-likelihood and reconstruction of held-out pictures; the classifier's verdict on
    1,000 samples.

    The free-energy gap is held-out minus training, in nats: near 0 when nothing was learned by heart (Hinton
    2012, section 6).
    """
    assert isinstance(model, GlyphsRbm)
    held, labels = (torch.from_numpy(part) for part in glyphs("heldout", 2000))
    seen = binary(model, *(torch.from_numpy(part[:2000]) for part in glyphs("train", RECIPE.pictures)))
    unseen = binary(model, held, labels)
    again = torch.sigmoid(model.hidden_mean(unseen) @ model.weight.T + model.visible_bias)[:, : model.pixels]
    return {
        "free_energy_gap_nats": float(model.free_energy(unseen).mean() - model.free_energy(seen).mean()),
        "pseudo_nats_per_pixel": float(torch.stack([pseudo_nats(model, v) for v in unseen[:300]]).mean()),
        "reconstruction_mse": float(functional.mse_loss(again, ink(held))),
        **classifier.verdict(samples(model, 1000), classifier.balanced(1000)),
    }


def pseudo_nats(model: GlyphsRbm, v: Tensor) -> Tensor:
    """Mean over the pixels of -log p(v_i | all other visible units) for one picture [V], exactly.

    p(v_i | rest) = sigmoid(F(v with v_i flipped) - F(v)); the flipped free energies differ in one row of W each.
    """
    drive = v @ model.weight + model.hidden_bias
    flip = 1.0 - 2.0 * v[: model.pixels, None]
    gain = functional.softplus(drive + flip * model.weight[: model.pixels]) - functional.softplus(drive)
    rise = -(gain.sum(1) + flip[:, 0] * model.visible_bias[: model.pixels])
    return -functional.logsigmoid(rise).mean()
