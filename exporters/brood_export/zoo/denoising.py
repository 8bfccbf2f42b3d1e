"""What the two denoisers of the zoo share: noise levels, what is learned from them, and a sampler to judge by.

A denoiser is `model(x [n, …], t [n] float32 in 0…999, label [n] int64 in 0…classes) -> [n, …]`. Its x is
sqrt(a) x0 + sqrt(1 - a) noise with the variance share a = `shares[t]` of the data (Ho et al. 2020, "Denoising
diffusion probabilistic models"); the label `classes` is the null label, which says nothing about the class.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

LEVELS = 1000  # noise levels, t = 0 … 999
NULL_SHARE = 0.12  # of the labels are hidden in training

Prediction = Literal["epsilon", "v"]
Denoiser = Callable[[Tensor, Tensor, Tensor], Tensor]


def cosine_shares() -> Tensor:
    """a_t [1000] float64 of the squared cosine (Nichol & Dhariwal 2021), each step's loss of a bounded by 0.999."""
    place = torch.arange(LEVELS + 1, dtype=torch.float64) / LEVELS
    wanted = torch.cos((place + 0.008) / 1.008 * math.pi / 2.0).square()
    return torch.cumprod(1.0 - (1.0 - wanted[1:] / wanted[:-1]).clamp(max=0.999), 0)


def linear_shares(start: float = 1e-4, end: float = 0.02) -> Tensor:
    """a_t [1000] float64 when the noise added in step t has variance from `start` to `end`, evenly (Ho et al. 2020)."""
    return torch.cumprod(1.0 - torch.linspace(start, end, LEVELS, dtype=torch.float64), 0)


class TimeFeatures(nn.Module):
    """Cosines and sines [n, 2·waves] of t [n], from half a radian per level to one in two thousand levels."""

    def __init__(self, waves: int) -> None:
        super().__init__()
        self.register_buffer("speeds", torch.logspace(math.log10(0.5), math.log10(5e-4), waves), persistent=False)

    def forward(self, t: Tensor) -> Tensor:
        angle = t[:, None] * self.get_buffer("speeds")
        return torch.cat([torch.cos(angle), torch.sin(angle)], 1)


def per_row(numbers: Tensor, like: Tensor) -> Tensor:
    """Numbers [n] shaped to multiply `like` [n, …]."""
    return numbers.reshape(-1, *[1] * (like.dim() - 1))


def loss(model: Denoiser, x0: Tensor, label: Tensor, null: int, shares: Tensor, predicts: Prediction) -> Tensor:
    """Mean squared error of the prediction at random noise levels, a share of the labels replaced by `null`.

    epsilon is the noise; v = sqrt(a) noise - sqrt(1 - a) x0 (Salimans & Ho 2022). The levels of a batch are spread
    evenly over all, which makes the mean less noisy; hidden labels teach the unconditional prediction that guidance
    starts from (Ho & Salimans 2022, "Classifier-free diffusion guidance").
    """
    n = len(x0)
    t = ((torch.arange(n) + torch.rand(1)) * (LEVELS / n)).long()
    share = per_row(shares[t].float(), x0)
    noise = torch.randn_like(x0)
    x = share.sqrt() * x0 + (1.0 - share).sqrt() * noise
    target = noise if predicts == "epsilon" else share.sqrt() * noise - (1.0 - share).sqrt() * x0
    shown = torch.where(torch.rand(n) < NULL_SHARE, null, label)
    return functional.mse_loss(model(x, t.float(), shown), target)


def guided(model: Denoiser, null: int, guidance: float) -> Denoiser:
    """The denoiser u + guidance (c - u) of its conditional and unconditional predictions c and u."""

    def predict(x: Tensor, t: Tensor, label: Tensor) -> Tensor:
        c, u = model(x, t, label), model(x, t, torch.full_like(label, null))
        return u + guidance * (c - u)

    return model if guidance == 1.0 else predict


@torch.no_grad()
def ddim(
    model: Denoiser, noise: Tensor, label: Tensor, *, shares: Tensor, predicts: Prediction, steps: int, clip: float
) -> Tensor:
    """x0 [n, …] by the deterministic sampler (Song et al. 2021, "Denoising diffusion implicit models").

    The levels are evenly spaced and start with the last ("trailing"); predictions of x0 are kept in ±`clip`.
    """
    levels = [round(LEVELS * (steps - k) / steps) - 1 for k in range(steps)]
    x = noise
    for level, following in zip(levels, [*levels[1:], -1], strict=True):
        a = float(shares[level])
        after = float(shares[following]) if following >= 0 else 1.0
        m = model(x, torch.full((len(x),), float(level)), label)
        x0 = (x - math.sqrt(1.0 - a) * m) / math.sqrt(a) if predicts == "epsilon" else a**0.5 * x - (1.0 - a) ** 0.5 * m
        x0 = x0.clamp(-clip, clip)
        epsilon = (x - math.sqrt(a) * x0) / math.sqrt(1.0 - a)
        x = math.sqrt(after) * x0 + math.sqrt(1.0 - after) * epsilon
    return x
