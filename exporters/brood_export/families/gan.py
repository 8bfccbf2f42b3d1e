"""Generative adversarial networks (Goodfellow et al. 2014): one call from a latent to a sample."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from brood.protocol.manifest import GraphInput, GraphOutput, Noise, Operation, Output, Param, Stage
from brood_export.families.base import (
    LATENT_STREAM,
    ExportSpec,
    Range,
    Request,
    StepGraph,
    any_label,
    finite,
    label_input,
    label_noise_input,
    label_output,
    label_param,
    made_label,
    number_input,
    ok_output,
    per_row,
    row_shape,
    sheet,
    tried,
)
from brood_export.families.medium import Medium, medium_of
from brood_export.families.unlabelled import labels_optional


class Generate(nn.Module):
    """Latent and label to sample; the truncation factor draws the latent towards its mean, 0."""

    def __init__(self, model: nn.Module, classes: int, value_range: Range) -> None:
        super().__init__()
        self.model, self.classes, self.value_range = model, classes, value_range

    def forward(self, latent: Tensor, label_noise: Tensor, label: Tensor, truncation: Tensor) -> tuple[Tensor, ...]:
        label = any_label(label, label_noise, self.classes)
        raw = self.model(latent * per_row(truncation, latent), label)
        return raw.clamp(*self.value_range), label, finite(raw)


@labels_optional
def gan(
    model: nn.Module,
    *,
    latent: int | tuple[int, ...],
    classes: int = 0,
    value_range: Range = (0.0, 1.0),
    sample_rate_hz: int | None = None,
    fps: float | None = None,
) -> ExportSpec:
    """A generator ``model(z [rows, latent], label [rows]) -> sample [rows, ...]``.

    Without classes it is ``model(z)``. Samples of channels, height and width, in grey or RGB, are pictures; anything
    else is a tensor, unless ``sample_rate_hz`` or ``fps`` says what it is.

    Args:
        model: in evaluation mode, without randomness of its own.
        latent: numbers of the standard normal z, or its shape, as 100,1,1.
        classes: labels are 0 … classes-1; 0: the model takes no label.
        value_range: what is shown as black and white, or is full scale of sound; samples are kept within.
        sample_rate_hz, fps: one of them for sound [channels, samples] or video [frames, channels, height, width].
    """
    z = (latent,) if isinstance(latent, int) else latent
    (made,) = tried(model, "gan", "forward", torch.zeros(2, *z), torch.zeros(2, dtype=torch.int64))
    shape = row_shape(made)
    medium = medium_of(shape, value_range, sample_rate_hz, fps)
    return ExportSpec(
        family="gan",
        domain="continuous",
        description="Generative adversarial network.",
        graphs={"generate": generate_graph(model, z, shape, medium.word, classes, value_range)},
        operations={"generate": generate(shape, medium, classes)},
        sample=medium.sample,
        golden=(
            Request("generate_label", "generate", 1, 0, {"label": classes - 1}),
            Request("generate_any", "generate", 2, 3),
            Request("generate_truncated", "generate", 3, 1, {"label": 0, "truncation": 0.5}),
        ),
        preview=sheet(classes) if medium.sample else (),
        preview_columns=classes,
    )


def generate_graph(
    model: nn.Module, latent: tuple[int, ...], shape: tuple[int, ...], output: str, classes: int, value_range: Range
) -> StepGraph:
    noise = Noise(distribution="normal", stream=LATENT_STREAM)
    return StepGraph(
        module=Generate(model, classes, value_range),
        inputs={
            "latent": GraphInput(dtype="float32", shape=latent, role="noise", noise=noise),
            "label_noise": label_noise_input(),
            "label": label_input(),
            "truncation": number_input(),
        },
        outputs={
            output: GraphOutput(dtype="float32", shape=shape, role="output"),
            "made_label": label_output(),
            "ok": ok_output(),
        },
        ranges={"label": (-1, classes - 1), "truncation": (0.0, 1.0)},
    )


def generate(shape: tuple[int, ...], medium: Medium, classes: int) -> Operation:
    return Operation(
        description="Make samples from random latents.",
        params={"label": label_param(classes), "truncation": truncation_param()},
        stages=(Stage(graph="generate"),),
        outputs={
            medium.word: Output(dtype="float32", shape=shape, kind=medium.kind),
            "label": made_label(),
        },
    )


def truncation_param() -> Param:
    """The truncation trick's factor (Karras et al. 2019, applied to the latent itself)."""
    text = "factor on the latent: 1 full variety, towards 0 ever more typical samples of the class"
    return Param(type="float", default=1.0, minimum=0.0, maximum=1.0, description=text)
