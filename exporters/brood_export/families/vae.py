"""Variational autoencoders (Kingma and Welling 2014): a decoder that generates, an encoder that describes.

There is one decoder graph. Where its latent comes from is the operation's business: noise (generate), the caller
(decode) or the encoder (reconstruct). Noise that is to become a latent passes the model's own prior, if it has one
(`from_noise`), inside the same graph: a second graph would cost a second call.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol, cast

import torch
from torch import Tensor, nn

from brood.protocol.manifest import (
    GraphInput,
    GraphOutput,
    Input,
    Noise,
    Operation,
    Output,
    Stage,
    State,
)
from brood_export.errors import Misfit
from brood_export.families.base import (
    LATENT_STREAM,
    Examples,
    ExportSpec,
    Range,
    Request,
    StepGraph,
    any_label,
    called,
    examples_or_drawn,
    finite,
    label_input,
    label_noise_input,
    label_output,
    label_param,
    made_label,
    number_input,
    ok_output,
    per_row,
    require,
    row_shape,
    sheet,
    temperature_param,
    tried,
    true_label_param,
)
from brood_export.families.blend import blend_graph
from brood_export.families.cross import cross_graph
from brood_export.families.medium import Medium, medium_of
from brood_export.families.relatives import of_inputs
from brood_export.families.unlabelled import labels_optional

# A decoder call with a given latent and label draws nothing.
FIXED: dict[str, str | float] = {"sampled": 0.0, "temperature": 1.0, "label_noise": 0.5}


@dataclass(frozen=True, slots=True)
class Coded:
    """What a model encodes, and into what."""

    shape: tuple[int, ...]  # of one row
    latent: tuple[int, ...]
    classes: int
    range: Range
    medium: Medium

    @property
    def word(self) -> str:
        """What it is called."""
        return self.medium.word


class ConditionalVae(Protocol):
    """What the adapter calls."""

    def encode(self, image: Tensor, label: Tensor) -> tuple[Tensor, Tensor]: ...
    def decode(self, z: Tensor, label: Tensor) -> Tensor: ...


class LearnedPrior(Protocol):
    """What the adapter calls if it is there."""

    def from_noise(self, noise: Tensor, label: Tensor) -> Tensor: ...


class Encode(nn.Module):
    """Picture and label to the latent's mean and log-variance."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, image: Tensor, label: Tensor) -> tuple[Tensor, ...]:
        mean, log_variance = cast(ConditionalVae, self.model).encode(image, label)
        return mean, log_variance, finite(mean, log_variance)


class Decode(nn.Module):
    """Latent and label to picture; where `sampled` is 1 the latent is still noise."""

    def __init__(self, model: nn.Module, classes: int, value_range: Range) -> None:
        super().__init__()
        self.model, self.classes, self.value_range = model, classes, value_range

    def forward(
        self, latent: Tensor, sampled: Tensor, label_noise: Tensor, label: Tensor, temperature: Tensor
    ) -> tuple[Tensor, ...]:
        label = any_label(label, label_noise, self.classes)
        drawn = self.prior(latent * per_row(temperature, latent), label)
        latent = torch.where(per_row(sampled, latent) > 0.5, drawn, latent)
        raw = cast(ConditionalVae, self.model).decode(latent, label)
        return raw.clamp(*self.value_range), label, finite(raw)

    def prior(self, noise: Tensor, label: Tensor) -> Tensor:
        """The latent of standard normal noise; the noise itself unless the model has learned a prior."""
        return cast(LearnedPrior, self.model).from_noise(noise, label) if hasattr(self.model, "from_noise") else noise


class Prior(nn.Module):
    """Standard normal noise and label to a latent of the learned prior."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, fresh: Tensor, label: Tensor) -> tuple[Tensor, ...]:
        drawn = cast(LearnedPrior, self.model).from_noise(fresh, label)
        return drawn, finite(drawn)


@labels_optional
def vae(
    model: nn.Module,
    *,
    image: tuple[int, ...],
    classes: int = 0,
    value_range: Range = (0.0, 1.0),
    sample_rate_hz: int | None = None,
    fps: float | None = None,
    examples: Examples | None = None,
) -> ExportSpec:
    """A VAE with ``encode(image, label) -> (mean, log_variance)`` and ``decode(z, label) -> image``.

    Without classes it is ``encode(image)`` and ``decode(z)``.

    A model whose prior is learned also has ``from_noise(noise, label) -> z``; without it, z is standard normal.

    Args:
        model: in evaluation mode, without randomness of its own.
        image: shape of what is encoded: channels, height, width of a picture; see ``sample_rate_hz`` and ``fps``.
        classes: labels are 0 … classes-1; 0: the model takes no label.
        value_range: what is shown as black and white, or is full scale of sound; samples are kept within.
        sample_rate_hz, fps: one of them for sound [channels, samples] or video [frames, channels, height, width].
        examples: samples of that kind for the golden samples, with labels; without, noise is encoded.

    Raises:
        Misfit: the model has no encode or decode.
    """
    require(model, "vae", "encode", "decode")
    label = torch.zeros(2, dtype=torch.int64)
    described = tried(model, "vae", "encode", torch.zeros(2, *image), label)
    if len(described) != 2 or described[0].shape != described[1].shape:
        shapes = [list(result.shape) for result in described]
        raise Misfit(f"{called(model)}.encode gives {shapes}; allowed: mean and log-variance, of one shape")
    latent = row_shape(described[0])
    (made,) = tried(model, "vae", "decode", torch.zeros(2, *latent), label)
    if row_shape(made) != image:
        raise Misfit(f"{called(model)}.decode gives {list(row_shape(made))} a row; allowed: image {list(image)}")
    coded = Coded(image, latent, classes, value_range, medium_of(image, value_range, sample_rate_hz, fps))
    graphs = {
        "encode": encode_graph(model, coded),
        "decode": decode_graph(model, coded),
        "blend": blend_graph(latent),
        "cross": cross_graph(latent),
    }
    if hasattr(model, "from_noise"):
        graphs["prior"] = prior_graph(model, coded)
    return ExportSpec(
        family="vae",
        domain="continuous",
        description="Variational autoencoder.",
        graphs=graphs,
        operations=operations(coded) | relatives(coded, learned="prior" in graphs),
        sample=coded.medium.sample,
        golden=golden(coded, examples_or_drawn(examples, image, classes, value_range)),
        preview=sheet(classes) if coded.medium.sample else (),
        preview_columns=classes,
    )


def encode_graph(model: nn.Module, coded: Coded) -> StepGraph:
    described = GraphOutput(dtype="float32", shape=coded.latent, role="output")
    return StepGraph(
        module=Encode(model),
        inputs={coded.word: GraphInput(dtype="float32", shape=coded.shape, role="input"), "label": label_input()},
        outputs={"mean": described, "log_variance": described, "ok": ok_output()},
        ranges={coded.word: coded.range, "label": (0, coded.classes - 1)},
    )


def decode_graph(model: nn.Module, coded: Coded) -> StepGraph:
    return StepGraph(
        module=Decode(model, coded.classes, coded.range),
        inputs={
            "latent": GraphInput(dtype="float32", shape=coded.latent, role="input"),
            "sampled": number_input(),
            "label_noise": label_noise_input(),
            "label": label_input(),
            "temperature": number_input(),
        },
        outputs={
            coded.word: GraphOutput(dtype="float32", shape=coded.shape, role="output"),
            "made_label": label_output(),
            "ok": ok_output(),
        },
        ranges={
            "latent": (-3.0, 3.0),
            "sampled": (0.0, 1.0),
            "label": (-1, coded.classes - 1),
            "temperature": (0.0, 1.5),
        },
    )


def prior_graph(model: nn.Module, coded: Coded) -> StepGraph:
    return StepGraph(
        module=Prior(model),
        inputs={"fresh": GraphInput(dtype="float32", shape=coded.latent, role="input"), "label": label_input()},
        outputs={"drawn": GraphOutput(dtype="float32", shape=coded.latent, role="output"), "ok": ok_output()},
        ranges={"fresh": (-3.0, 3.0), "label": (0, coded.classes - 1)},
    )


def operations(coded: Coded) -> dict[str, Operation]:
    word, latent, label = coded.word, coded.latent, {"label": true_label_param(coded.classes)}
    made, given = {word: made_output(coded)}, given_input(coded)
    numbers = Output(dtype="float32", shape=latent, kind="tensor")
    decode = Stage(graph="decode", bind=FIXED)
    drawn = State(
        dtype="float32",
        shape=latent,
        init="noise",
        noise=Noise(distribution="normal", stream=LATENT_STREAM),
    )
    return {
        "generate": Operation(
            description="Make samples from random latents.",
            params={"label": label_param(coded.classes), "temperature": temperature_param()},
            state={"noise": drawn},
            stages=(Stage(graph="decode", bind={"latent": "noise", "sampled": 1.0}),),
            outputs={**made, "label": made_label()},
        ),
        "encode": Operation(
            description="Mean and log-variance of the latent's density given a sample.",
            inputs={word: given},
            params=label,
            stages=(Stage(graph="encode"),),
            outputs={"mean": numbers, "log_variance": numbers},
        ),
        "decode": Operation(
            description="The sample of a latent.",
            inputs={"latent": Input(kind="tensor", dtype="float32", shape=latent, description="as encode gives it")},
            params=label,
            stages=(decode,),
            outputs=made,
        ),
        "reconstruct": Operation(
            description="Encode a sample and decode the latent's mean.",
            inputs={word: given},
            params=label,
            state={"latent": State(dtype="float32", shape=latent, init="zeros")},
            stages=(Stage(graph="encode", bind={"mean": "latent"}), decode),
            outputs=made,
        ),
    }


def made_output(coded: Coded) -> Output:
    return Output(dtype="float32", shape=coded.shape, kind=coded.medium.kind)


def given_input(coded: Coded) -> Input:
    low, high = coded.range
    kind, text = coded.medium.kind, f"the {'picture' if coded.word == 'image' else coded.word}"
    return Input(kind=kind, dtype="float32", shape=coded.shape, minimum=low, maximum=high, description=text)


def relatives(coded: Coded, *, learned: bool) -> dict[str, Operation]:
    """interpolate, vary and cross: samples of one class are encoded, and what is made of their latents is decoded."""

    def encode(name: str) -> Stage:
        return Stage(graph="encode", bind={coded.word: name, "mean": f"{name}_latent"})

    return of_inputs(
        coded.word,
        given_input(coded),
        made_output(coded),
        coded.latent,
        {"label": true_label_param(coded.classes)},
        encode,
        Stage(graph="decode", bind=FIXED | {"latent": "latent"}),
        (Stage(graph="prior", bind={"drawn": "fresh"}),) if learned else (),
    )


def golden(coded: Coded, examples: Examples) -> tuple[Request, ...]:
    one, two = ({"label": int(label)} for label in examples.labels[:2])
    first, second = examples.images[:2]
    ends = {"first": first, "second": second}
    ramp = torch.linspace(-1.5, 1.5, math.prod(coded.latent)).reshape(coded.latent).numpy()
    return (
        Request("generate_label", "generate", 1, 0, {"label": coded.classes - 1}),
        Request("generate_any", "generate", 2, 3, {"temperature": 0.7}),
        Request("encode_first", "encode", 0, 0, one, {coded.word: first}),
        Request("encode_second", "encode", 0, 0, two, {coded.word: second}),
        Request("decode_ramp", "decode", 0, 0, one, {"latent": ramp}),
        Request("decode_fall", "decode", 0, 0, two, {"latent": -ramp}),
        Request("reconstruct_first", "reconstruct", 0, 0, one, {coded.word: first}),
        Request("reconstruct_second", "reconstruct", 0, 0, two, {coded.word: second}),
        Request("interpolate_third", "interpolate", 0, 1, {**one, "frames": 4}, ends),
        Request("interpolate_end", "interpolate", 0, 3, {**two, "frames": 4}, ends),
        Request("vary_near", "vary", 6, 0, {**one, "strength": 0.4}, {coded.word: first}),
        Request("cross_half", "cross", 7, 1, one, {coded.word: first, "other": second}),
    )
