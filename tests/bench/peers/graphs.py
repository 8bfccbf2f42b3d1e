"""The graphs that all servers run, untrained: what they cost is what counts."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from functools import partial
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor, nn

from bench.wide import wide_zoo
from brood.store.store import zoo_root
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


class Decoder(nn.Module):
    """The decoder of a VAE for 256×256, of transposed convolutions: 0.6 G multiplications a picture."""

    def __init__(self, widths: tuple[int, ...] = (512, 256, 128, 64, 32)) -> None:
        super().__init__()
        self.begin = nn.Linear(LATENT, widths[0] * 64)
        layers: list[nn.Module] = [nn.Unflatten(1, (widths[0], 8, 8)), nn.ReLU()]
        for wide, narrow in pairwise(widths):
            layers += [nn.ConvTranspose2d(wide, narrow, 4, 2, 1), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.ConvTranspose2d(widths[-1], 3, 4, 2, 1), nn.Tanh())

    def forward(self, z: Tensor) -> Tensor:
        made: Tensor = self.layers(self.begin(z))
        return made


NETWORKS: Mapping[str, Callable[[], nn.Module]] = {
    "dcgan": Dcgan,
    "mlp": Mlp,
    "vae256": Decoder,
    "dcgan-small": partial(Dcgan, 24),
    "mlp-wide": partial(Mlp, 1024, 64),
}


def write_store(root: Path, graphs: Path) -> None:
    """What brood serves: the networks here, the shipped models, and the denoiser that batching pays for.

    Args:
        root: the store; what is there goes.
        graphs: where `write_graphs` writes.
    """
    write_graphs(graphs)
    shutil.rmtree(root, ignore_errors=True)
    for store in (zoo_root(), wide_zoo(), graphs / "store"):
        shutil.copytree(store, root, dirs_exist_ok=True)


def write_graphs(root: Path) -> None:
    """``root/NAME.onnx`` of every network, and a store of bundles for brood: the same file as a function (``NAME``),
    and the network as a generator that draws its own latents (``NAME-gan``).
    """
    root.mkdir(parents=True, exist_ok=True)
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
