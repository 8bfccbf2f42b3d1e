"""Invertible maps of vectors with class labels: what the flow and the autoencoder's prior are made of.

An affine coupling (Dinh et al. 2017, "Density estimation using Real NVP") leaves one half a and moves the other,
b' = b exp(s(a)) + t(a): its inverse and its Jacobian's determinant, exp(sum s), are as cheap as the map.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from brood_export.zoo.glyphs import CLASSES


class Affine(nn.Module):
    """One affine map per class and number, y = x exp(s) + t: the couplings start from standardised numbers."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.zeros(CLASSES, size))
        self.shift = nn.Parameter(torch.zeros(CLASSES, size))

    def standardise(self, numbers: Tensor, label: Tensor) -> None:
        """Set the maps so that `numbers` [n, size] of each class get mean 0 and variance 1."""
        for c in range(CLASSES):
            deviation, mean = torch.std_mean(numbers[label == c], 0)
            self.log_scale.data[c] = -torch.log(deviation + 0.1)
            self.shift.data[c] = -mean * torch.exp(self.log_scale.data[c])

    def forward(self, x: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
        log_scale = self.log_scale[label]
        return x * torch.exp(log_scale) + self.shift[label], log_scale.sum(1)

    def inverse(self, y: Tensor, label: Tensor) -> Tensor:
        return (y - self.shift[label]) * torch.exp(-self.log_scale[label])


class DenseCoupling(nn.Module):
    """Affine coupling of vectors [n, size]: numbers in the second half of `order` move as the first half says."""

    order: Tensor
    undo: Tensor

    def __init__(self, order: Tensor, hidden: int, classes: int = CLASSES) -> None:
        super().__init__()
        self.kept, self.classes = len(order) // 2, classes
        self.net = nn.Sequential(
            nn.Linear(self.kept + classes, hidden),
            nn.SiLU(),
            nn.Linear(hidden, hidden),
            nn.SiLU(),
            nn.Linear(hidden, 2 * (len(order) - self.kept)),
        )
        start_as_identity(self.net[-1])
        self.register_buffer("order", order, persistent=False)
        self.register_buffer("undo", torch.argsort(order), persistent=False)

    def forward(self, x: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
        kept, moved = self._split(x)
        log_scale, shift = self._terms(kept, label)
        return self._join(kept, moved * torch.exp(log_scale) + shift), log_scale.sum(1)

    def inverse(self, y: Tensor, label: Tensor) -> Tensor:
        kept, moved = self._split(y)
        log_scale, shift = self._terms(kept, label)
        return self._join(kept, (moved - shift) * torch.exp(-log_scale))

    def _terms(self, kept: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
        raw, shift = self.net(torch.cat([kept, one_hot(label, self.classes)], 1)).chunk(2, 1)
        return bounded(raw), shift

    def _split(self, x: Tensor) -> tuple[Tensor, Tensor]:
        ordered = x[:, self.order]
        return ordered[:, : self.kept], ordered[:, self.kept :]

    def _join(self, kept: Tensor, moved: Tensor) -> Tensor:
        return torch.cat([kept, moved], 1)[:, self.undo]


def bounded(raw: Tensor) -> Tensor:
    """A log-scale in -2..2: one coupling cannot run away."""
    return 2.0 * torch.tanh(0.5 * raw)


def one_hot(label: Tensor, classes: int = CLASSES) -> Tensor:
    """Labels int64 [n] as float32 [n, classes]."""
    return functional.one_hot(label, classes).to(torch.float32)


def start_as_identity(last: nn.Module) -> None:
    """Zero a network's last layer, so that its coupling changes nothing at first."""
    for parameter in last.parameters():
        nn.init.zeros_(parameter)


def normal_log_density(z: Tensor) -> Tensor:
    """Log-density in nats, [n], of standard normal z [n, size]."""
    return -0.5 * (z.square() + math.log(2.0 * math.pi)).sum(1)
