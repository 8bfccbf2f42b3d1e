"""Restricted Boltzmann machines: block Gibbs sampling between the visible and the hidden layer (Hinton 2002)."""

from __future__ import annotations

import math
from typing import Protocol, cast

import torch
from torch import Tensor, nn

from brood_export.errors import Misfit
from brood_export.families.annealed import Clamped, Walk, annealed, binary, nearest, sweep_graph
from brood_export.families.base import Examples, ExportSpec, called, finite, require
from brood_export.families.gibbs import RestrictedMachine


class Machine(Protocol):
    """What the adapter calls and reads."""

    visible_bias: Tensor  # [V]: pixels, then the label one-hot
    hidden_bias: Tensor  # [H]
    labels: int
    weight: Tensor  # [V, H]; where it has one, pictures can be scored

    def sweep(
        self, v: Tensor, temperature: Tensor, uniform: Tensor, mask: Tensor, known: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]: ...
    def hidden_mean(self, v: Tensor, temperature: Tensor) -> Tensor: ...


class Sweep(Clamped):
    """One block Gibbs sweep. The state begins as uniform noise: thresholded, it is a fair coin for every unit."""

    def forward(
        self,
        units: Tensor,
        unit_noise: Tensor,
        label_noise: Tensor,
        label: Tensor,
        temperature: Tensor,
        image: Tensor,
        mask: Tensor,
    ) -> tuple[Tensor, ...]:
        label = self.label(label, label_noise)
        mask, known = self.clamps(label, image, mask)
        v, _, mean = cast(Machine, self.model).sweep(binary(units), temperature, unit_noise, mask, known)
        return v, self.picture(mean), label, finite(mean)

    def margin(
        self,
        units: Tensor,
        unit_noise: Tensor,
        label_noise: Tensor,
        label: Tensor,
        temperature: Tensor,
        image: Tensor,
        mask: Tensor,
    ) -> Tensor:
        """[rows]: smallest distance of a uniform number from the probability it is compared with."""
        machine = cast(Machine, self.model)
        mask, known = self.clamps(self.label(label, label_noise), image, mask)
        v = binary(units)
        _, _, mean = machine.sweep(v, temperature, unit_noise, mask, known)
        hidden = machine.hidden_mean(torch.where(mask > 0.5, known, v), temperature[:, None])
        for_visible, for_hidden = unit_noise[:, : mean.shape[1]], unit_noise[:, mean.shape[1] :]
        every = torch.ones_like(hidden) > 0.5
        return torch.minimum(nearest(for_visible, mean, mask < 0.5), nearest(for_hidden, hidden, every))


class FreeEnergy(Clamped):
    """F(v) = -b'v - Σ softplus(W'v + c) of a picture's pixels, as units, and its label: p(v) ∝ exp(-F(v))."""

    text = "free energy of the picture and its label: -log p, up to a constant"

    def forward(self, image: Tensor, label: Tensor) -> tuple[Tensor, ...]:
        machine = cast(Machine, self.model)
        _, v = self.clamps(label, image, image)
        hidden = nn.functional.softplus(v @ machine.weight + machine.hidden_bias).sum(1)
        energy = -(v @ machine.visible_bias) - hidden
        return energy, finite(energy)


def restricted(model: nn.Module) -> nn.Module:
    """The model; where it only has weights, a machine of them."""
    if hasattr(model, "sweep"):
        require(model, "rbm", "sweep", "hidden_mean", "visible_bias", "hidden_bias", "labels")
        return model
    require(model, "rbm", "weight", "visible_bias", "hidden_bias")
    weight, visible, hidden = (getattr(model, name).detach() for name in ("weight", "visible_bias", "hidden_bias"))
    wanted = (len(visible), len(hidden))
    if weight.shape != wanted and weight.T.shape == wanted:
        weight = weight.T.contiguous()
    if weight.shape != wanted:
        raise Misfit(f"{called(model)}.weight is {list(weight.shape)}; allowed: {list(wanted)}, as its biases are long")
    return RestrictedMachine(weight, visible, hidden, int(getattr(model, "labels", 0)))


def rbm(
    model: nn.Module,
    *,
    image: tuple[int, int, int],
    examples: Examples | None = None,
    steps: int = 150,
    start: float = 2.0,
    hold: float = 2 / 3,
) -> ExportSpec:
    """A machine with ``sweep(v, temperature, uniform, mask, known) -> (v, h, mean)`` and ``hidden_mean``.

    Or one with nothing but ``weight`` [V, H] (or [H, V]), ``visible_bias`` and ``hidden_bias``; ``labels``, if it has
    them, says how many of the last visible units are the class, one-hot.

    Args:
        model: visible units are the pixels of `image`, then the label one-hot; `uniform` is [rows, V + H].
        image: channels, height, width.
        examples: pictures for the golden samples; without, noise is completed.
        steps: default number of sweeps.
        start: temperature of the first sweep.
        hold: share of the sweeps at the final temperature.

    Raises:
        Misfit: the model lacks one of them.
    """
    model = restricted(model)
    machine = cast(Machine, model)
    visible = len(machine.visible_bias)
    if visible != math.prod(image) + machine.labels:
        text = f"{called(model)} has {visible} visible units, image {list(image)} has {math.prod(image)} pixels"
        raise Misfit(f"{text}; allowed: the pixels and then {machine.labels} labels")
    walk = Walk(image, machine.labels, visible, visible + len(machine.hidden_bias), steps, start, hold)
    description = "Restricted Boltzmann machine, annealed block Gibbs sampling with clamped label units."
    sweep = Sweep(model, walk)
    known = getattr(getattr(model, "weight", None), "shape", None) == (visible, len(machine.hidden_bias))
    score = FreeEnergy(model, walk) if known else None
    return annealed("rbm", description, sweep_graph(sweep, sweep.margin, walk), walk, examples, score)
