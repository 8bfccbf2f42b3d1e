"""Between two latents, along the arc: what lies between is as long, and so as likely, as the ends (White 2016)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from brood.protocol.manifest import GraphInput, GraphOutput
from brood_export.families.base import StepGraph, finite, number_input, ok_output, per_row

STRAIGHT = 1e-4  # sine of an angle below which arc and line are the same in float32


class Blend(nn.Module):
    """The latent at a share of the way from the first to the second."""

    def forward(self, first: Tensor, second: Tensor, weight: Tensor) -> tuple[Tensor, ...]:
        latent = slerp(first, second, weight)
        return latent, finite(latent)


def slerp(first: Tensor, second: Tensor, weight: Tensor) -> Tensor:
    """sin((1−w)·ω)/sin ω·first + sin(w·ω)/sin ω·second, with ω between the directions (Shoemake 1985).

    Args:
        first, second: [rows, ...] of any length; of opposite or equal directions, the straight line is taken.
        weight: [rows], 0 is the first and 1 the second.
    """
    a, b = first.flatten(1), second.flatten(1)
    lengths = (a.square().sum(1) * b.square().sum(1)).clamp(min=1e-24).sqrt()
    angle = torch.acos(((a * b).sum(1) / lengths).clamp(-1.0, 1.0))
    sine = torch.sin(angle)
    straight = sine < STRAIGHT
    safe = torch.where(straight, 1.0, sine)
    left = torch.where(straight, 1.0 - weight, torch.sin((1.0 - weight) * angle) / safe)
    right = torch.where(straight, weight, torch.sin(weight * angle) / safe)
    return per_row(left, first) * first + per_row(right, second) * second


def blend_graph(latent: tuple[int, ...]) -> StepGraph:
    """``blend``."""
    given = GraphInput(dtype="float32", shape=latent, role="input")
    return StepGraph(
        module=Blend(),
        inputs={"first": given, "second": given, "weight": number_input()},
        outputs={"blended": GraphOutput(dtype="float32", shape=latent, role="output"), "ok": ok_output()},
        ranges={"first": (-3.0, 3.0), "second": (-3.0, 3.0), "weight": (0.0, 1.0)},
    )
