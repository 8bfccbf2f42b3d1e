"""Denoisers whose cost is reading their weights: untrained, 17 and 67 million of them, for the benches only.

One row or eight take about the same time, as large networks do on accelerators: batching pays. A call of the smaller
takes a few milliseconds, so that what a server does between two calls weighs much; one of the larger four times that.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from bench import unet
from brood_export.bundle import export_spec
from brood_export.families import FAMILIES
from brood_export.families.base import Examples
from brood_export.targets import TARGETS
from brood_export.words import Title
from brood_export.zoo import denoising, points

WIDTHS = {"wide": 2048, "wider": 4096}
LAYERS, CLASSES = 4, unet.CLASSES
BUCKETS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)


class Wide(nn.Module):
    """m [n, 2] of x [n, 2], t [n] and label [n]."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.begin = nn.Linear(4, width)
        self.layers = nn.ModuleList(nn.Linear(width, width) for _ in range(LAYERS))
        self.end = nn.Linear(width, 2)

    def forward(self, x: Tensor, t: Tensor, label: Tensor) -> Tensor:
        h = self.begin(torch.cat([x, (t / 1000)[:, None], label.to(x.dtype)[:, None]], 1))
        for layer in self.layers:
            h = layer(functional.silu(h))
        m: Tensor = self.end(functional.silu(h))
        return m


def wide_zoo(name: str = "wide") -> Path:
    """A store with one of them, made when it is first asked for."""
    examples = Examples(*points.points("heldout", 8))
    return untrained(name, partial(Wide, WIDTHS[name]), (2,), examples, output="point", extent=3.0)


def unet_zoo() -> Path:
    """The same with `unet.UNet`."""
    rng = np.random.default_rng(0)
    examples = Examples(rng.uniform(-1, 1, (8, *unet.SHAPE)).astype(np.float32), np.arange(8) % unet.CLASSES)
    return untrained(unet.NAME, unet.UNet, unet.SHAPE, examples, output="image", extent=1.0)


def untrained(
    name: str,
    network: Callable[[], nn.Module],
    shape: tuple[int, ...],
    examples: Examples,
    *,
    output: str,
    extent: float,
) -> Path:
    """A store with a denoiser of that name; it is made when it is first asked for."""
    root = Path(tempfile.gettempdir()) / f"brood-bench-{name}"
    if not (root / name / "1").exists():
        torch.manual_seed(0)
        model = network().eval()
        spec = FAMILIES["diffusion"](
            model,
            shape=shape,
            classes=CLASSES,
            prediction="epsilon",
            alphas_cumprod=denoising.linear_shares().numpy(),
            betas="linear",
            extent=extent,
            output=output,
            examples=examples,
            steps=20,
        )
        export_spec(spec, model, TARGETS["onnx"], Title(name), root, buckets=BUCKETS)
    return root


if __name__ == "__main__":
    for each in WIDTHS:
        print(wide_zoo(each))
