"""Five architectures of others, small: written as their papers have them, without a thought of brood."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class StyleGan(nn.Module):
    """Karras et al. 2020: a mapping, modulated and demodulated convolutions, noise planes; the noise is an input.

    The latent [8 + 16 + 64] is z [8], then the noise planes of 4x4 and 8x8.
    """

    def __init__(self) -> None:
        super().__init__()
        self.mapping = nn.Sequential(nn.Linear(8, 8), nn.LeakyReLU(0.2), nn.Linear(8, 8), nn.LeakyReLU(0.2))
        self.begin = nn.Parameter(torch.randn(1, 6, 4, 4))
        self.weights = nn.ParameterList([torch.randn(6, 6, 3, 3) * 0.2 for _ in range(2)])
        self.styles = nn.ModuleList([nn.Linear(8, 6) for _ in range(2)])
        self.strengths = nn.Parameter(torch.full((2,), 0.3))
        self.show = nn.Conv2d(6, 3, 1)

    def forward(self, latent: Tensor) -> Tensor:
        z, *planes = torch.split(latent, [8, 16, 64], 1)
        w = self.mapping(z * torch.rsqrt(z.square().mean(1, keepdim=True) + 1e-8))
        h = self.begin.expand(z.shape[0], -1, -1, -1)
        for number, plane in enumerate(planes):
            if number:
                h = functional.interpolate(h, scale_factor=2.0, mode="bilinear", align_corners=False)
            h = self.modulated(h, number, w)
            side = h.shape[-1]
            h = functional.leaky_relu(h + self.strengths[number] * plane.reshape(-1, 1, side, side), 0.2)
        return torch.tanh(self.show(h))

    def modulated(self, h: Tensor, number: int, w: Tensor) -> Tensor:
        """Styles scale what goes in, demodulation what comes out: equal to weights of its own for every row."""
        style, weight = 1.0 + self.styles[number](w), self.weights[number]
        energy = torch.einsum("oi,ri->ro", weight.square().sum((2, 3)), style.square())
        h = functional.conv2d(h * style[:, :, None, None], weight, padding=1)
        return h * torch.rsqrt(energy + 1e-8)[:, :, None, None]


class GroupedStyleGan(StyleGan):
    """The same as its authors run it: a convolution with as many groups as there are rows."""

    def modulated(self, h: Tensor, number: int, w: Tensor) -> Tensor:
        rows, channels, height, width = h.shape
        weight = self.weights[number][None] * (1.0 + self.styles[number](w))[:, None, :, None, None]
        weight = weight * torch.rsqrt(weight.square().sum((2, 3, 4), keepdim=True) + 1e-8)
        grouped = functional.conv2d(
            h.reshape(1, rows * channels, height, width), weight.reshape(-1, channels, 3, 3), padding=1, groups=rows
        )
        return grouped.reshape(rows, channels, height, width)


class VqDecoder(nn.Module):
    """van den Oord et al. 2017: the nearest entries of a codebook, decoded; the latent is what is quantised."""

    def __init__(self) -> None:
        super().__init__()
        self.codebook = nn.Embedding(16, 4)
        self.up = nn.Sequential(nn.ConvTranspose2d(4, 6, 4, 2, 1), nn.ReLU(), nn.Conv2d(6, 1, 3, 1, 1), nn.Sigmoid())

    def forward(self, z: Tensor) -> Tensor:
        flat = z.permute(0, 2, 3, 1).reshape(-1, 4)
        book = self.codebook.weight
        apart = flat.square().sum(1, keepdim=True) - 2.0 * flat @ book.T + book.square().sum(1)
        chosen = self.codebook(apart.argmin(1)).reshape(-1, 4, 4, 4).permute(0, 3, 1, 2)
        image: Tensor = self.up(chosen)
        return image


class Glow(nn.Module):
    """Kingma and Dhariwal 2018: squeeze, then twice actnorm, an invertible 1x1 convolution and an affine coupling."""

    def __init__(self) -> None:
        super().__init__()
        self.log_scale, self.bias = nn.Parameter(torch.randn(2, 4) * 0.1), nn.Parameter(torch.randn(2, 4) * 0.1)
        self.mix = nn.ParameterList([torch.linalg.qr(torch.randn(4, 4))[0] for _ in range(2)])
        self.nets = nn.ModuleList(
            [nn.Sequential(nn.Conv2d(2, 8, 3, 1, 1), nn.ReLU(), nn.Conv2d(8, 4, 3, 1, 1)) for _ in range(2)]
        )

    def forward(self, v: Tensor) -> tuple[Tensor, Tensor]:
        h = functional.pixel_unshuffle(v, 2)
        places = h.shape[2] * h.shape[3]
        log_det = torch.zeros_like(v[:, 0, 0, 0])
        for k in range(2):
            h = (h + self.bias[k, :, None, None]) * torch.exp(self.log_scale[k])[:, None, None]
            h = functional.conv2d(h, self.mix[k][:, :, None, None])
            log_det = log_det + places * (self.log_scale[k].sum() + torch.linalg.slogdet(self.mix[k])[1])
            a, b = h.chunk(2, 1)
            shift, scale = self.coupling(k, a)
            h = torch.cat([a, (b + shift) * scale], 1)
            log_det = log_det + scale.log().flatten(1).sum(1)
        return h, log_det

    def inverse(self, z: Tensor) -> Tensor:
        h = z
        for k in (1, 0):
            a, b = h.chunk(2, 1)
            shift, scale = self.coupling(k, a)
            h = torch.cat([a, b / scale - shift], 1)
            h = functional.conv2d(h, torch.linalg.inv(self.mix[k])[:, :, None, None])
            h = h * torch.exp(-self.log_scale[k])[:, None, None] - self.bias[k, :, None, None]
        return functional.pixel_shuffle(h, 2)

    def coupling(self, k: int, a: Tensor) -> tuple[Tensor, Tensor]:
        shift, raw = self.nets[k](a).chunk(2, 1)
        return shift, torch.sigmoid(raw + 2.0)


class WaveNet(nn.Module):
    """van den Oord et al. 2016 as a decoder: gated dilated causal convolutions from noise to 32 samples of sound."""

    def __init__(self) -> None:
        super().__init__()
        self.begin, self.end = nn.Conv1d(1, 6, 1), nn.Conv1d(6, 1, 1)
        self.gates = nn.ModuleList([nn.Conv1d(6, 12, 2, dilation=2**k) for k in range(4)])
        self.skips = nn.ModuleList([nn.Conv1d(6, 6, 1) for _ in range(4)])
        self.voice = nn.Embedding(3, 12)

    def forward(self, z: Tensor, label: Tensor) -> Tensor:
        h = self.begin(z[:, None])
        total = torch.zeros_like(h)
        for k, (gate, skip) in enumerate(zip(self.gates, self.skips, strict=True)):
            a, b = (gate(functional.pad(h, (2**k, 0))) + self.voice(label)[:, :, None]).chunk(2, 1)
            out = torch.tanh(a) * torch.sigmoid(b)
            total = total + skip(out)
            h = h + out
        return torch.tanh(self.end(torch.relu(total)))[:, 0]


class DiT(nn.Module):
    """Peebles and Xie 2023: patches, attention, layer norms that time and label modulate; the last label is none."""

    def __init__(self) -> None:
        super().__init__()
        self.patch, self.unpatch = nn.Conv2d(1, 8, 2, 2), nn.Linear(8, 4)
        self.place = nn.Parameter(torch.randn(1, 16, 8) * 0.1)
        self.label, self.time = nn.Embedding(4, 8), nn.Sequential(nn.Linear(8, 8), nn.SiLU(), nn.Linear(8, 8))
        self.norm = nn.LayerNorm(8, elementwise_affine=False)
        self.modulate = nn.Linear(8, 24)
        self.attend = nn.MultiheadAttention(8, 2, batch_first=True)
        self.think = nn.Sequential(nn.Linear(8, 16), nn.GELU(), nn.Linear(16, 8))

    def forward(self, x: Tensor, t: Tensor, label: Tensor) -> Tensor:
        waves = t[:, None] * torch.exp(-torch.arange(4) * 2.0)
        condition = self.time(torch.cat([waves.sin(), waves.cos()], 1)) + self.label(label)
        shift, scale, gate = self.modulate(functional.silu(condition))[:, None].chunk(3, 2)
        h = self.patch(x).flatten(2).transpose(1, 2) + self.place
        seen = self.norm(h) * (1.0 + scale) + shift
        h = h + gate * self.attend(seen, seen, seen, need_weights=False)[0]
        h = h + self.think(self.norm(h))
        return functional.pixel_shuffle(self.unpatch(h).transpose(1, 2).reshape(-1, 4, 4, 4), 2)
