"""The graphs that all servers run, untrained: what they cost is what counts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor, nn

from brood_export import export
from brood_export.functions import FunctionTitle, import_onnx

LATENT = 100
OPSET = 18


class Dcgan(nn.Module):
    """The generator of Radford et al. 2016 for 64×64, with 64 channels at its widest resolution."""

    def __init__(self, channels: int = 64) -> None:
        super().__init__()
        widths = [8 * channels, 4 * channels, 2 * channels, channels]
        layers: list[nn.Module] = [nn.ConvTranspose2d(LATENT, widths[0], 4, 1, 0, bias=False)]
        for wide, narrow in pairwise(widths):
            layers += [nn.BatchNorm2d(wide), nn.ReLU(), nn.ConvTranspose2d(wide, narrow, 4, 2, 1, bias=False)]
        layers += [nn.BatchNorm2d(channels), nn.ReLU(), nn.ConvTranspose2d(channels, 3, 4, 2, 1, bias=False), nn.Tanh()]
        self.layers = nn.Sequential(*layers)

    def forward(self, z: Tensor) -> Tensor:
        made: Tensor = self.layers(z[:, :, None, None])
        return made


class Mlp(nn.Module):
    """A generator that takes next to no time: what is left is the servers' own."""

    def __init__(self, width: int = 128, pixels: int = 28) -> None:
        super().__init__()
        self.pixels = pixels
        self.layers = nn.Sequential(nn.Linear(LATENT, width), nn.ReLU(), nn.Linear(width, pixels * pixels), nn.Tanh())

    def forward(self, z: Tensor) -> Tensor:
        made: Tensor = self.layers(z)
        return made.reshape(-1, 1, self.pixels, self.pixels)


NETWORKS: Mapping[str, Callable[[], nn.Module]] = {"dcgan": Dcgan, "mlp": Mlp}


def write_graphs(root: Path) -> None:
    """``root/NAME.onnx`` of every network, and a store of bundles for brood: the same file as a function (``NAME``),
    and the network as a generator that draws its own latents (``NAME-gan``).
    """
    for name, network in NETWORKS.items():
        path = root / f"{name}.onnx"
        if path.is_file():
            continue
        torch.manual_seed(0)
        module = network().eval()
        draft = root / f"{name}.draft.onnx"
        rows = {"z": {0: torch.export.Dim("rows")}}
        torch.onnx.export(
            module, (torch.randn(2, LATENT),), draft, input_names=["z"], output_names=["image"], dynamic_shapes=rows,
            opset_version=OPSET, dynamo=True, external_data=False, verbose=False,
        )  # fmt: skip
        import_onnx(draft, FunctionTitle(name), root / "store", replace=True)
        export(
            module,
            family="gan",
            out=root / "store",
            name=f"{name}-gan",
            latent=LATENT,
            value_range=(-1.0, 1.0),
            replace=True,
        )
        draft.rename(path)  # last: it says that all is there
