"""Sweeps of Gibbs sampling over binary units, and machines that are nothing but their weights.

Units [n, N] are 0 or 1; where `mask` is 1 a unit is clamped to `known`; uniform numbers lie in (0, 1).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


def clamp(free: Tensor, mask: Tensor, known: Tensor) -> Tensor:
    """`known` where `mask` is 1, `free` where it is 0."""
    return torch.where(mask > 0.5, known, free)


class RestrictedMachine(nn.Module):
    """A restricted Boltzmann machine: E(v, h) = -v'Wh - b'v - c'h (Hinton 2002, Fischer and Igel 2012)."""

    def __init__(self, weight: Tensor, visible_bias: Tensor, hidden_bias: Tensor, labels: int) -> None:
        """`weight` [V, H], biases [V] and [H]; the last `labels` visible units are a class, one-hot."""
        super().__init__()
        self.weight, self.labels = nn.Parameter(weight), labels
        self.visible_bias, self.hidden_bias = nn.Parameter(visible_bias), nn.Parameter(hidden_bias)

    def sweep(
        self, v: Tensor, temperature: Tensor, uniform: Tensor, mask: Tensor, known: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """One block Gibbs sweep at temperature [n]: new v [n, V], h [n, H], and the mean of v, [n, V].

        `uniform` [n, V + H] decides the units; `mask` and `known` [n, V] clamp visible ones.
        """
        v, heat = clamp(v, mask, known), temperature[:, None]
        for_visible, for_hidden = torch.split(uniform, [len(self.visible_bias), len(self.hidden_bias)], 1)
        h = (for_hidden < self.hidden_mean(v, heat)).to(v.dtype)
        mean = clamp(torch.sigmoid((h @ self.weight.T + self.visible_bias) / heat), mask, known)
        return clamp((for_visible < mean).to(v.dtype), mask, known), h, mean

    def hidden_mean(self, v: Tensor, temperature: Tensor | float = 1.0) -> Tensor:
        """p(h=1 | v), [n, H]."""
        return torch.sigmoid((v @ self.weight + self.hidden_bias) / temperature)


class FullMachine(nn.Module):
    """A Boltzmann machine: E(x) = -x'Wx/2 - b'x (Ackley, Hinton and Sejnowski 1985)."""

    pairs: Tensor  # [N, N]: 0 on the diagonal, 1 elsewhere

    def __init__(self, weight: Tensor, bias: Tensor, labels: int) -> None:
        """`weight` [N, N] is made symmetric, its diagonal is not read; `bias` [N]."""
        super().__init__()
        self.weight, self.bias, self.labels = nn.Parameter(weight), nn.Parameter(bias), labels
        self.register_buffer("pairs", 1.0 - torch.eye(len(bias)), persistent=False)

    def couplings(self) -> Tensor:
        """W [N, N]: the weights made symmetric, without the diagonal."""
        return 0.5 * (self.weight + self.weight.T) * self.pairs

    def field(self, x: Tensor) -> Tensor:
        """f = Wx + b, [n, N]."""
        return x @ self.couplings() + self.bias

    def sweep(
        self, x: Tensor, field: Tensor, temperature: Tensor, uniform: Tensor, mask: Tensor, known: Tensor
    ) -> tuple[Tensor, Tensor]:
        """One sequential sweep of all units (function `sweep`) with this machine's couplings."""
        return sweep(self.couplings(), x, field, bars(temperature, uniform, mask, known))


def bars(temperature: Tensor, uniform: Tensor, mask: Tensor, known: Tensor) -> Tensor:
    """What each unit's field must exceed for the unit to become 1: u < sigmoid(f / T) means T log(u / (1 - u)) < f.

    All [n, N] but `temperature` [n] above 0; `uniform` in (0, 1). Where `mask` is 1 the bar lets only `known`
    through. Computed for all units at once, this leaves six operations per unit in the unrolled sweep.
    """
    free = temperature[:, None] * (uniform.log() - (1.0 - uniform).log())
    return torch.where(mask > 0.5, torch.where(known > 0.5, -torch.inf, torch.inf), free)


def sweep(couplings: Tensor, x: Tensor, field: Tensor, bar: Tensor) -> tuple[Tensor, Tensor]:
    """Units [n, N] after one update each, in order, and their field, kept up to date after every single update.

    `couplings` [N, N] symmetric with zero diagonal; `x` [n, N] in {0, 1}; `field` [n, N] is Wx + b of `x`;
    `bar` [n, N].
    """
    units = []
    for i, (old, threshold) in enumerate(zip(torch.split(x, 1, 1), torch.split(bar, 1, 1), strict=True)):
        new = (threshold < field[:, i : i + 1]).to(x.dtype)
        field = torch.addcmul(field, new - old, couplings[i])
        units.append(new)
    return torch.cat(units, 1), field
