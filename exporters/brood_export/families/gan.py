"""Generative adversarial networks (Goodfellow et al. 2014): one call from a latent to a sample.

There is one generator graph. Its latent is noise, or that of relatives of other samples (`relatives`).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from brood.protocol.manifest import GraphInput, GraphOutput, Input, Noise, Operation, Output, Param, Stage
from brood.sampling.noise import noise
from brood_export.errors import Misfit
from brood_export.families.base import (
    LATENT_STREAM,
    ExportSpec,
    Range,
    Request,
    StepGraph,
    any_label,
    called,
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
    true_label_param,
)
from brood_export.families.blend import blend_graph
from brood_export.families.cross import cross_graph
from brood_export.families.medium import Medium, medium_of
from brood_export.families.relatives import (
    CROSSED,
    FIRST,
    HALFWAY,
    NEAR,
    OTHER,
    PARENT,
    SECOND,
    blend_stage,
    cross_stage,
    ends_params,
    fresh,
    label_noise_of,
    latent_of,
    made,
    other_params,
    parent_params,
    share_param,
    strength_param,
    weight_state,
)
from brood_export.families.unlabelled import Unlabelled, labels_optional


class Generate(nn.Module):
    """Latent and label to sample; the truncation factor draws the latent towards its mean, 0."""

    def __init__(self, model: nn.Module, classes: int, value_range: Range) -> None:
        super().__init__()
        self.model, self.classes, self.value_range = model, classes, value_range

    def forward(self, latent: Tensor, label_noise: Tensor, label: Tensor, truncation: Tensor) -> tuple[Tensor, ...]:
        label = any_label(label, label_noise, self.classes)
        raw = self.model(latent * per_row(truncation, latent), label)
        return raw.clamp(*self.value_range), label, finite(raw)


class Score(nn.Module):
    """Sample and label to what a discriminator says of them."""

    def __init__(self, discriminator: nn.Module) -> None:
        super().__init__()
        self.discriminator = discriminator

    def forward(self, sample: Tensor, label: Tensor) -> tuple[Tensor, ...]:
        value = self.discriminator(sample, label).reshape(sample.shape[0])
        return value, finite(value)


@labels_optional
def gan(
    model: nn.Module,
    *,
    latent: int | tuple[int, ...],
    classes: int = 0,
    value_range: Range = (0.0, 1.0),
    sample_rate_hz: int | None = None,
    fps: float | None = None,
    discriminator: nn.Module | None = None,
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
        discriminator: called as ``discriminator(sample, label)``, without classes ``discriminator(sample)``, for one
            number a row; with it, samples can be scored.

    Raises:
        Misfit: the generator fails, or the discriminator gives something else than a number for each row.
    """
    z = (latent,) if isinstance(latent, int) else latent
    (made,) = tried(model, "gan", "forward", torch.zeros(2, *z), torch.zeros(2, dtype=torch.int64))
    shape = row_shape(made)
    medium = medium_of(shape, value_range, sample_rate_hz, fps)
    graphs = {
        "generate": generate_graph(model, z, shape, medium.word, classes, value_range),
        "blend": blend_graph(z),
        "cross": cross_graph(z),
    }
    offered = operations(generate(shape, medium, classes), z)
    requests = golden(classes)
    if discriminator is not None:
        judge = Unlabelled(discriminator) if isinstance(model, Unlabelled) else discriminator
        check_discriminator(judge, shape)
        graphs["score"] = score_graph(judge, shape, classes, value_range)
        offered["score"] = score(shape, medium, classes, value_range)
        even = noise("uniform", seed=0, stream=0, index=0, step=0, shape=shape)
        low, high = value_range
        requests += (Request("score_noise", "score", 0, 0, {"label": 0}, {medium.word: low + (high - low) * even}),)
    return ExportSpec(
        family="gan",
        domain="continuous",
        description="Generative adversarial network.",
        graphs=graphs,
        operations=offered,
        sample=medium.sample,
        golden=requests,
        preview=sheet(classes) if medium.sample else (),
        preview_columns=classes,
    )


def check_discriminator(discriminator: nn.Module, shape: tuple[int, ...]) -> None:
    """Whether it gives one number for each row.

    Raises:
        Misfit: it does not; says what it gives.
    """
    (said,) = tried(discriminator, "gan", "forward", torch.zeros(2, *shape), torch.zeros(2, dtype=torch.int64))
    if said.numel() != 2:
        raise Misfit(f"{called(discriminator)} gives {list(said.shape)} for 2 rows; allowed: a number for each row")


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


def operations(generate: Operation, latent: tuple[int, ...]) -> dict[str, Operation]:
    """generate, and what makes relatives of its samples. Where any class is wanted, it is that of the first one."""
    place = Stage(graph="generate", bind={"latent": "latent", "label_noise": "label_noise"})

    def relatives(text: str, **words: object) -> Operation:
        return generate.model_copy(update={"description": text, **words})

    return {
        "generate": generate,
        "interpolate": relatives(
            "Samples between two others, along the arc between their latents.",
            params=generate.params | ends_params(),
            state={
                "first": latent_of(FIRST, latent),
                "second": latent_of(SECOND, latent),
                "weight": weight_state(),
                "label_noise": label_noise_of(FIRST),
                "latent": made(latent),
            },
            stages=(blend_stage("first", "second", "weight", "latent"), place),
        ),
        "vary": relatives(
            "Offspring of a sample: its latent, moved along an arc towards noise.",
            params=generate.params | parent_params() | strength_param(),
            state={
                "parent": latent_of(PARENT, latent),
                "fresh": fresh(latent),
                "label_noise": label_noise_of(PARENT),
                "latent": made(latent),
            },
            stages=(blend_stage("parent", "fresh", "strength", "latent"), place),
        ),
        "cross": relatives(
            "Offspring of two samples: each number of the latent from one or the other.",
            params=generate.params | parent_params() | other_params() | share_param(),
            state={
                "parent": latent_of(PARENT, latent),
                "other": latent_of(OTHER, latent),
                "label_noise": label_noise_of(PARENT),
                "latent": made(latent),
            },
            stages=(cross_stage("parent", "other", "latent"), place),
        ),
    }


def golden(classes: int) -> tuple[Request, ...]:
    return (
        Request("generate_label", "generate", 1, 0, {"label": classes - 1}),
        Request("generate_any", "generate", 2, 3),
        Request("generate_truncated", "generate", 3, 1, {"label": 0, "truncation": 0.5}),
        Request("interpolate_half", "interpolate", 4, 1, HALFWAY),
        Request("interpolate_end", "interpolate", 4, 2, {**HALFWAY, "label": 0}),
        Request("vary_near", "vary", 7, 0, NEAR),
        Request("cross_half", "cross", 8, 1, CROSSED),
    )


def score_graph(discriminator: nn.Module, shape: tuple[int, ...], classes: int, value_range: Range) -> StepGraph:
    return StepGraph(
        module=Score(discriminator),
        inputs={"given": GraphInput(dtype="float32", shape=shape, role="input"), "label": label_input()},
        outputs={"value": GraphOutput(dtype="float32", role="output"), "ok": ok_output()},
        ranges={"given": value_range, "label": (0, classes - 1)},
    )


def score(shape: tuple[int, ...], medium: Medium, classes: int, value_range: Range) -> Operation:
    low, high = value_range
    judged = Input(
        kind=medium.kind, dtype="float32", shape=shape, minimum=low, maximum=high, description="what is judged"
    )
    text = "as it was trained: mostly the higher, the more like the data"
    return Operation(
        description="What the discriminator says of a sample.",
        inputs={medium.word: judged},
        params={"label": true_label_param(classes)},
        stages=(Stage(graph="score", bind={"given": medium.word}),),
        outputs={"value": Output(dtype="float32", kind="scalar", description=text)},
    )


def truncation_param() -> Param:
    """The truncation trick's factor (Karras et al. 2019, applied to the latent itself)."""
    text = "factor on the latent: 1 full variety, towards 0 ever more typical samples of the class"
    return Param(type="float", default=1.0, minimum=0.0, maximum=1.0, description=text)
