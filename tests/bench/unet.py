"""A U-Net of the size that accelerators are for: untrained, 64×64 in colour, for the benches only."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

NAME = "unet"
SHAPE = (3, 64, 64)
CLASSES = 4


class Block(nn.Module):
    """Two convolutions around a shortcut; time and label shift what is between them."""

    def __init__(self, inner: int, outer: int, context: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inner, outer, 3, 1, 1)
        self.norms = nn.ModuleList(nn.GroupNorm(8, channels) for channels in (inner, outer))
        self.shift = nn.Linear(context, outer)
        self.second = nn.Conv2d(outer, outer, 3, 1, 1)
        self.shortcut = nn.Conv2d(inner, outer, 1)

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        h = self.first(functional.silu(self.norms[0](x))) + self.shift(context)[:, :, None, None]
        made: Tensor = self.shortcut(x) + self.second(functional.silu(self.norms[1](h)))
        return made


class UNet(nn.Module):
    """m [n, 3, 64, 64] of x, t [n] and label [n] (Ronneberger et al. 2015; Ho et al. 2020), without attention."""

    def __init__(self, width: int = 96, context: int = 256) -> None:
        super().__init__()
        widths = (width, 2 * width, 3 * width, 4 * width)
        self.context = nn.Sequential(nn.Linear(2, context), nn.SiLU(), nn.Linear(context, context))
        self.begin = nn.Conv2d(SHAPE[0], width, 3, 1, 1)
        pairs = list(pairwise(widths))
        self.down = nn.ModuleList(Block(shallow, deep, context) for shallow, deep in pairs)
        self.shrink = nn.ModuleList(nn.Conv2d(deep, deep, 3, 2, 1) for _, deep in pairs)
        self.middle = Block(widths[-1], widths[-1], context)
        self.up = nn.ModuleList(Block(2 * deep, shallow, context) for shallow, deep in reversed(pairs))
        self.end = nn.Conv2d(width, SHAPE[0], 3, 1, 1)

    def forward(self, x: Tensor, t: Tensor, label: Tensor) -> Tensor:
        context = self.context(torch.stack([t / 1000, label.to(x.dtype)], 1))
        h, kept = self.begin(x), []
        for down, shrink in zip(self.down, self.shrink, strict=True):
            h = down(h, context)
            kept.append(h)
            h = shrink(h)
        h = self.middle(h, context)
        for up in self.up:
            h = functional.interpolate(h, scale_factor=2.0, mode="nearest")
            h = up(torch.cat([h, kept.pop()], 1), context)
        made: Tensor = self.end(functional.silu(h))
        return made
