"""Of two latents one: uniform crossover (Syswerda 1989), each number from one parent or the other."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from brood.protocol.manifest import GraphInput, GraphOutput, Noise
from brood_export.families.base import CROSS_STREAM, StepGraph, finite, number_input, ok_output, per_row


class Cross(nn.Module):
    """Numbers of the second where a uniform number is below the share, else of the first."""

    def forward(self, first: Tensor, second: Tensor, choice: Tensor, share: Tensor) -> tuple[Tensor, ...]:
        child = torch.where(choice < per_row(share, choice), second, first)
        return child, finite(child)


def cross_graph(latent: tuple[int, ...]) -> StepGraph:
    """``cross``."""
    given = GraphInput(dtype="float32", shape=latent, role="input")
    choice = Noise(distribution="uniform", stream=CROSS_STREAM)
    return StepGraph(
        module=Cross(),
        inputs={
            "first": given,
            "second": given,
            "choice": GraphInput(dtype="float32", shape=latent, role="noise", noise=choice),
            "share": number_input(),
        },
        outputs={"child": GraphOutput(dtype="float32", shape=latent, role="output"), "ok": ok_output()},
        ranges={"first": (-3.0, 3.0), "second": (-3.0, 3.0), "share": (0.0, 1.0)},
    )
