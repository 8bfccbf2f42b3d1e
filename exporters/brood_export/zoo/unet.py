"""The network of the zoo's denoisers of pictures and videos: a small U-Net of two scales (Ronneberger et al. 2015).

Four pixels of a square are one place of four times as many channels, so the network works at a half and a quarter of
the picture's side only. Time and label are one context, which scales and shifts what is inside each residual block.

The frames of a video are pictures that see each other: each block is followed by a convolution over time, a pseudo-3D
convolution (Singer et al. 2022, "Make-A-Video").
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from brood_export.zoo import denoising


class Block(nn.Module):
    """Two 3x3 convolutions around a shortcut; the context scales and shifts what is between them."""

    def __init__(self, inner: int, outer: int, context: int) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.GroupNorm(8, inner), nn.SiLU(), nn.Conv2d(inner, outer, 3, 1, 1))
        self.norm = nn.GroupNorm(8, outer)
        self.modulate = nn.Linear(context, 2 * outer)
        self.second = nn.Conv2d(outer, outer, 3, 1, 1)
        self.shortcut = nn.Conv2d(inner, outer, 1) if inner != outer else nn.Identity()
        nn.init.zeros_(self.second.weight)

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        scale, shift = self.modulate(context)[:, :, None, None].chunk(2, 1)
        h = self.norm(self.first(x)) * (1.0 + scale) + shift
        y: Tensor = self.shortcut(x) + self.second(functional.silu(h))
        return y


class Across(nn.Module):
    """A convolution over five frames around a shortcut, at each place alone; at first it changes nothing."""

    def __init__(self, channels: int, frames: int) -> None:
        super().__init__()
        self.frames = frames
        self.mix = nn.Conv2d(channels, channels, (5, 1), 1, (2, 0))  # [n, channels, frames, places]
        nn.init.zeros_(self.mix.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Pictures [n * frames, channels, h, w] to the same."""
        films = functional.silu(x).reshape(-1, self.frames, x.shape[1], x.shape[2] * x.shape[3])
        seen = self.mix(films.transpose(1, 2)).transpose(1, 2)
        y: Tensor = x + seen.reshape(x.shape)
        return y


class UNet(nn.Module):
    """What x [n, channels, h, w] is to become, of levels t [n] float32 in 0…999 and labels [n] in 0…classes.

    Sides are multiples of 4; the label `classes` says nothing. With more than one frame, x is [n, frames, channels, h,
    w].
    """

    def __init__(self, channels: int, classes: int, width: int, deep: int, context: int, frames: int = 1) -> None:
        """`width` and `deep` are the channels at a half and a quarter of the side, both multiples of 8."""
        super().__init__()
        self.frames = frames
        self.time = nn.Sequential(denoising.TimeFeatures(32), nn.Linear(64, context), nn.SiLU())
        self.time_out = nn.Linear(context, context)
        self.label = nn.Embedding(classes + 1, context)
        self.begin = nn.Sequential(nn.PixelUnshuffle(2), nn.Conv2d(4 * channels, width, 3, 1, 1))
        self.down = Block(width, width, context)
        self.shrink = nn.Conv2d(width, deep, 3, 2, 1)
        self.middle = nn.ModuleList(Block(deep, deep, context) for _ in range(3))
        self.across = nn.ModuleList(Across(size, frames) for size in (width, deep, deep, deep, width) if frames > 1)
        self.grow = nn.Sequential(nn.Conv2d(deep, width, 1), nn.Upsample(scale_factor=2))
        self.up = Block(2 * width, width, context)
        self.end = nn.Sequential(
            nn.GroupNorm(8, width), nn.SiLU(), nn.Conv2d(width, 4 * channels, 3, 1, 1), nn.PixelShuffle(2)
        )

    def forward(self, x: Tensor, t: Tensor, label: Tensor) -> Tensor:
        context = functional.silu(self.time_out(self.time(t)) + self.label(label))
        if self.frames == 1:
            return self.drawn(x, context)
        pictures = self.drawn(x.flatten(0, 1), context.repeat_interleave(self.frames, 0))
        return pictures.reshape(x.shape)

    def drawn(self, x: Tensor, context: Tensor) -> Tensor:
        """Pictures [n * frames, channels, h, w], each with its context."""
        fine = self.seen(0, self.down(self.begin(x), context))
        deep = self.shrink(fine)
        for k, block in enumerate(self.middle, 1):
            deep = self.seen(k, block(deep, context))
        y: Tensor = self.end(self.seen(4, self.up(torch.cat([fine, self.grow(deep)], 1), context)))
        return y

    def seen(self, k: int, x: Tensor) -> Tensor:
        """x after the k-th convolution over time, if there are any."""
        return self.across[k](x) if self.across else x
