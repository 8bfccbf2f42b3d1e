"""Models as people have them: no labels, shapes of their own, written without a thought of brood."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class DcGan(nn.Module):
    """Radford et al. 2016, small: a latent [6, 1, 1] to a picture in -1..1, with batch normalisation."""

    def __init__(self) -> None:
        super().__init__()
        self.paint = nn.Sequential(
            nn.ConvTranspose2d(6, 8, 4, 1, 0, bias=False),
            nn.BatchNorm2d(8),
            nn.ReLU(inplace=True),
            nn.ConvTranspose2d(8, 1, 4, 2, 1, bias=False),
            nn.Tanh(),
        )

    def forward(self, z: Tensor) -> Tensor:
        image: Tensor = self.paint(z)
        return image


class OwnVae(nn.Module):
    """With a latent that is itself a small picture [2, 4, 4]."""

    def __init__(self) -> None:
        super().__init__()
        self.down, self.up = nn.Conv2d(1, 4, 3, 2, 1), nn.ConvTranspose2d(2, 1, 4, 2, 1)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_variance = self.down(x).chunk(2, 1)
        return mean, log_variance

    def decode(self, z: Tensor) -> Tensor:
        return torch.sigmoid(self.up(z))


class OwnFlow(nn.Module):
    """One affine coupling of the two halves of a picture's rows."""

    def __init__(self) -> None:
        super().__init__()
        self.shift = nn.Linear(8, 8)

    def forward(self, v: Tensor) -> tuple[Tensor, Tensor]:
        a, b = v.flatten(1).chunk(2, 1)
        return torch.cat([a, b + torch.tanh(self.shift(a))], 1), torch.zeros_like(a[:, 0])

    def inverse(self, z: Tensor) -> Tensor:
        a, b = z.chunk(2, 1)
        return torch.cat([a, b - torch.tanh(self.shift(a))], 1).reshape(-1, 1, 4, 4)


class OwnUnet(nn.Module):
    """Predicts the noise with two convolutions and a sine of the timestep."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.time, self.last = nn.Conv2d(1, 4, 3, 1, 1), nn.Linear(2, 4), nn.Conv2d(4, 1, 3, 1, 1)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        told = self.time(torch.stack([torch.sin(t / 10), torch.cos(t / 10)], 1))
        noise: Tensor = self.last(torch.relu(self.first(x) + told[:, :, None, None]))
        return noise


class OwnRbm(nn.Module):
    """Nothing but weights, as [H, V]."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(4, 9))
        self.visible_bias, self.hidden_bias = nn.Parameter(torch.randn(9)), nn.Parameter(torch.randn(4))


class OwnMachine(nn.Module):
    """Nothing but weights: nine pixels and three hidden units."""

    def __init__(self) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.randn(12, 12)), nn.Parameter(torch.randn(12))
