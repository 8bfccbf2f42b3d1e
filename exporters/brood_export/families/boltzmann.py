"""Boltzmann machines (Ackley, Hinton and Sejnowski 1985): all units connected, updated one after another.

The sweep is unrolled in the graph: each update sees the field that all earlier ones have already changed. Updating
all units at once from one field would sample another distribution.
"""

from __future__ import annotations

import math
from typing import Protocol, cast

import torch
from torch import Tensor, nn

from brood_export.errors import Misfit
from brood_export.families.annealed import Clamped, Walk, annealed, binary, nearest, sweep_graph
from brood_export.families.base import Examples, ExportSpec, called, finite, require
from brood_export.families.gibbs import FullMachine


class Machine(Protocol):
    """What the adapter calls and reads."""

    bias: Tensor  # [N]: pixels, the label one-hot, hidden units
    labels: int

    def couplings(self) -> Tensor: ...
    def field(self, x: Tensor) -> Tensor: ...
    def sweep(
        self, x: Tensor, field: Tensor, temperature: Tensor, uniform: Tensor, mask: Tensor, known: Tensor
    ) -> tuple[Tensor, Tensor]: ...


class Sweep(Clamped):
    """One sequential sweep of all units.

    The field is computed anew at the start of each sweep, one product, so that its rounding errors never add up over
    the walk. The state begins as uniform noise: thresholded, it is a fair coin for every unit.
    """

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
        machine = cast(Machine, self.model)
        label = self.label(label, label_noise)
        mask, known = self.clamps(label, image, mask)
        x = binary(units)
        x, field = machine.sweep(x, machine.field(x), temperature, unit_noise, mask, known)
        probability = torch.where(mask > 0.5, known, torch.sigmoid(field / temperature[:, None]))
        return x, self.picture(probability), label, finite(field)

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
        """[rows]: smallest distance of a uniform number from the probability it is compared with.

        Unit i sees the new values of the units before it and the old values of those behind it.
        """
        machine = cast(Machine, self.model)
        mask, known = self.clamps(self.label(label, label_noise), image, mask)
        old = binary(units)
        new, _ = machine.sweep(old, machine.field(old), temperature, unit_noise, mask, known)
        couplings = machine.couplings()
        seen = new @ couplings.triu() + old @ couplings.tril() + machine.bias
        return nearest(unit_noise, torch.sigmoid(seen / temperature[:, None]), mask < 0.5)


class Energy(Clamped):
    """E(x) = -x'Wx/2 - b'x of a picture's pixels, as units, and its label, where there are no other units."""

    text = "energy of the picture and its label: -log p, up to a constant"

    def forward(self, image: Tensor, label: Tensor) -> tuple[Tensor, ...]:
        machine = cast(Machine, self.model)
        _, x = self.clamps(label, image, image)
        energy = -0.5 * (x * (machine.field(x) + machine.bias)).sum(1)
        return energy, finite(energy)


def full(model: nn.Module) -> nn.Module:
    """The model; where it only has weights, a machine of them."""
    if hasattr(model, "sweep"):
        require(model, "boltzmann", "couplings", "field", "sweep", "bias", "labels")
        return model
    require(model, "boltzmann", "weight", "bias")
    weight, bias = model.weight, model.bias
    if not isinstance(weight, Tensor) or not isinstance(bias, Tensor) or weight.shape != (len(bias), len(bias)):
        raise Misfit(f"{called(model)}: weight and bias are not tensors [N, N] and [N]")
    return FullMachine(weight.detach(), bias.detach(), int(getattr(model, "labels", 0)))


def boltzmann(
    model: nn.Module,
    *,
    image: tuple[int, int, int],
    examples: Examples | None = None,
    steps: int = 75,
    start: float = 3.0,
    hold: float = 2 / 3,
) -> ExportSpec:
    """A machine with ``couplings()``, ``field(x)`` and ``sweep(x, field, temperature, uniform, mask, known)``.

    Or one with nothing but ``weight`` [N, N] and ``bias`` [N]; ``labels``, if it has them, says how many of the units
    behind the pixels are the class, one-hot.

    Args:
        model: units are the pixels of `image`, the label one-hot, then hidden units.
        image: channels, height, width.
        examples: pictures for the golden samples; without, noise is completed.
        steps: default number of sweeps.
        start: temperature of the first sweep.
        hold: share of the sweeps at the final temperature.

    Raises:
        Misfit: the model lacks one of them.
    """
    model = full(model)
    machine = cast(Machine, model)
    units, shown = len(machine.bias), math.prod(image) + machine.labels
    if units < shown:
        raise Misfit(f"{called(model)} has {units} units; allowed: at least {shown}, for pixels and labels")
    walk = Walk(image, machine.labels, units, units, steps, start, hold)
    description = "Boltzmann machine with hidden units, annealed sequential sweeps with clamped label units."
    sweep = Sweep(model, walk)
    score = Energy(model, walk) if units == shown else None  # of hidden units, the sum over all states is out of reach
    return annealed("boltzmann", description, sweep_graph(sweep, sweep.margin, walk), walk, examples, score)
