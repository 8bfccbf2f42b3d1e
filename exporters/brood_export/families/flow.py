"""Normalizing flows such as RealNVP (Dinh, Sohl-Dickstein and Bengio 2017): an exact map between picture and latent."""

from __future__ import annotations

import math
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
    Sample,
    Stage,
    State,
)
from brood.sampling.noise import noise
from brood_export.errors import Misfit
from brood_export.families.base import (
    EXTRA_STREAM,
    LATENT_STREAM,
    Examples,
    ExportSpec,
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
from brood_export.families.relatives import Bind, of_inputs
from brood_export.families.unlabelled import labels_optional

SAMPLE = Sample(range=(0.0, 1.0))
FIXED: Bind = {"temperature": 1.0, "label_noise": 0.5}  # of the picture of a given latent and label
INVERTED = 1e-3  # how far |g(f(x)) - x| may be from 0, for x in 0..1 (float32)


class ConditionalFlow(Protocol):
    """What the adapter calls."""

    def __call__(self, v: Tensor, label: Tensor) -> tuple[Tensor, Tensor]: ...
    def inverse(self, z: Tensor, label: Tensor) -> Tensor: ...


class Generate(nn.Module):
    """Latent and label to picture: the inverse pass."""

    def __init__(self, model: nn.Module, classes: int) -> None:
        super().__init__()
        self.model, self.classes = model, classes

    def forward(self, latent: Tensor, label_noise: Tensor, label: Tensor, temperature: Tensor) -> tuple[Tensor, ...]:
        label = any_label(label, label_noise, self.classes)
        raw = cast(ConditionalFlow, self.model).inverse(latent * per_row(temperature, latent), label)
        return raw.clamp(*SAMPLE.range), label, finite(raw)


class Encode(nn.Module):
    """Picture and label to latent: the forward pass, from the middle of each grey level."""

    def __init__(self, model: nn.Module, levels: int) -> None:
        super().__init__()
        self.model, self.levels = model, levels

    def forward(self, image: Tensor, label: Tensor) -> tuple[Tensor, ...]:
        z, _ = cast(ConditionalFlow, self.model)((level_of(image, self.levels) + 0.5) / self.levels, label)
        return z, finite(z)


def level_of(image: Tensor, levels: int) -> Tensor:
    """Grey levels 0 … levels-1 of values in 0..1."""
    return torch.floor(image * levels).clamp(0, levels - 1)


class Score(nn.Module):
    """Log-likelihood of a picture's grey levels k, made continuous as v = (k + u) / levels (Theis et al. 2016).

    log p(z) + log|det dz/dv| is exact for v; its mean over u bounds log P(k) from below.
    """

    def __init__(self, model: nn.Module, levels: int) -> None:
        super().__init__()
        self.model, self.levels = model, levels

    def forward(self, image: Tensor, dequantisation: Tensor, label: Tensor) -> tuple[Tensor, ...]:
        level = level_of(image, self.levels)
        z, log_det = cast(ConditionalFlow, self.model)((level + dequantisation) / self.levels, label)
        density = log_det - 0.5 * (z.square() + math.log(2.0 * math.pi)).flatten(1).sum(1)
        pixels = math.prod(image.shape[1:])
        nats = density - pixels * math.log(self.levels)
        return nats, nats / (-pixels * math.log(2.0)), finite(z, log_det)


@labels_optional
def flow(
    model: nn.Module,
    *,
    image: tuple[int, int, int],
    classes: int = 0,
    examples: Examples | None = None,
    levels: int = 256,
    temperature: float = 1.0,
) -> ExportSpec:
    """A flow: ``model(v, label) -> (z, log|det dz/dv|)`` and ``inverse(z, label) -> v``; z of any shape.

    Without classes it is ``model(v)`` and ``inverse(z)``. The two must be each other's inverse: that is tried.

    Args:
        model: in evaluation mode.
        image: channels, height, width; values in 0..1.
        classes: labels are 0 … classes-1; 0: the model takes no label.
        examples: pictures for the golden samples, with labels; without, noise is scored.
        levels: grey levels of the training data.
        temperature: default of the parameter.

    Raises:
        Misfit: the model has no inverse, or what it has is none.
    """
    require(model, "flow", "inverse")
    latent = check_inverse(model, image)
    return ExportSpec(
        family="flow",
        domain="continuous",
        description="Normalizing flow, with exact likelihood.",
        graphs={
            "generate": generate_graph(model, image, latent, classes),
            "encode": encode_graph(model, image, latent, classes, levels),
            "score": score_graph(model, image, classes, levels),
            "blend": blend_graph(latent),
            "cross": cross_graph(latent),
        },
        operations=operations(image, classes, levels, temperature) | latent_operations(image, latent, classes),
        sample=SAMPLE,
        golden=golden(examples_or_drawn(examples, image, classes), latent, classes),
        preview=sheet(classes),
        preview_columns=classes,
    )


def check_inverse(model: nn.Module, image: tuple[int, int, int]) -> tuple[int, ...]:
    """The shape of z, if model and inverse undo each other on a picture of noise.

    Raises:
        Misfit: saying how far they are from it.
    """
    label = torch.zeros(2, dtype=torch.int64)
    picture = torch.from_numpy(noise("uniform", seed=0, stream=0, index=0, step=0, shape=(2, *image)))
    passed = tried(model, "flow", "forward", picture, label)
    if len(passed) != 2 or passed[1].dim() != 1:
        shapes = [list(result.shape) for result in passed]
        raise Misfit(f"{called(model)} gives {shapes}; allowed: z, and log|det dz/dv| of [rows]")
    (back,) = tried(model, "flow", "inverse", passed[0], label)
    if back.shape != picture.shape:
        raise Misfit(f"{called(model)}.inverse gives {list(back.shape)}; allowed: {list(picture.shape)}")
    if not (off := float((back - picture).abs().max())) <= INVERTED:
        raise Misfit(f"{called(model)}: inverse(z) is off by {off:.3g} from the picture; allowed: {INVERTED:g}")
    return row_shape(passed[0])


def generate_graph(model: nn.Module, image: tuple[int, int, int], latent: tuple[int, ...], classes: int) -> StepGraph:
    drawn = Noise(distribution="normal", stream=LATENT_STREAM)
    return StepGraph(
        module=Generate(model, classes),
        inputs={
            "latent": GraphInput(dtype="float32", shape=latent, role="noise", noise=drawn),
            "label_noise": label_noise_input(),
            "label": label_input(),
            "temperature": number_input(),
        },
        outputs={
            "image": GraphOutput(dtype="float32", shape=image, role="output"),
            "made_label": label_output(),
            "ok": ok_output(),
        },
        ranges={"label": (-1, classes - 1), "temperature": (0.0, 1.0)},
    )


def encode_graph(
    model: nn.Module, image: tuple[int, int, int], latent: tuple[int, ...], classes: int, levels: int
) -> StepGraph:
    return StepGraph(
        module=Encode(model, levels),
        inputs={"image": GraphInput(dtype="float32", shape=image, role="input"), "label": label_input()},
        outputs={"encoded": GraphOutput(dtype="float32", shape=latent, role="output"), "ok": ok_output()},
        ranges={"image": SAMPLE.range, "label": (0, classes - 1)},
    )


def score_graph(model: nn.Module, image: tuple[int, int, int], classes: int, levels: int) -> StepGraph:
    drawn = Noise(distribution="uniform", stream=EXTRA_STREAM)
    return StepGraph(
        module=Score(model, levels),
        inputs={
            "image": GraphInput(dtype="float32", shape=image, role="input"),
            "dequantisation": GraphInput(dtype="float32", shape=image, role="noise", noise=drawn),
            "label": label_input(),
        },
        outputs={
            "log_likelihood": GraphOutput(dtype="float32", role="output"),
            "bits_per_dim": GraphOutput(dtype="float32", role="output"),
            "ok": ok_output(),
        },
        ranges={"image": SAMPLE.range, "label": (0, classes - 1)},
    )


def operations(image: tuple[int, int, int], classes: int, levels: int, temperature: float) -> dict[str, Operation]:
    nats = f"log-likelihood of the picture in {levels} grey levels, dequantised with the seed's noise, in nats"
    return {
        "generate": Operation(
            description="Make samples from random latents.",
            params={"label": label_param(classes), "temperature": temperature_param(temperature)},
            stages=(Stage(graph="generate"),),
            outputs={"image": Output(dtype="float32", shape=image, kind="image"), "label": made_label()},
        ),
        "score": Operation(
            description="Log-likelihood of a picture given its class.",
            inputs={"image": picture(image)},
            params={"label": true_label_param(classes)},
            stages=(Stage(graph="score"),),
            outputs={
                "log_likelihood": Output(dtype="float32", kind="scalar", description=nats),
                "bits_per_dim": Output(
                    dtype="float32", kind="scalar", description="the same in bits per pixel, negated"
                ),
            },
        ),
    }


def picture(image: tuple[int, int, int]) -> Input:
    return Input(kind="image", dtype="float32", shape=image, minimum=0.0, maximum=1.0, description="the picture")


def latent_operations(image: tuple[int, int, int], latent: tuple[int, ...], classes: int) -> dict[str, Operation]:
    """encode and decode, which undo each other, and what is made of latents between."""
    given, label = picture(image), {"label": true_label_param(classes)}
    output = Output(dtype="float32", shape=image, kind="image")
    decode = Stage(graph="generate", bind=FIXED | {"latent": "latent"})

    def encode(name: str) -> Stage:
        return Stage(graph="encode", bind={"image": name, "encoded": f"{name}_latent"})

    return {
        "encode": Operation(
            description="The latent of a picture.",
            inputs={"image": given},
            params=label,
            stages=(Stage(graph="encode"),),
            outputs={"latent": Output(dtype="float32", shape=latent, kind="tensor", value="encoded")},
        ),
        "decode": Operation(
            description="The picture of a latent.",
            inputs={"latent": Input(kind="tensor", dtype="float32", shape=latent, description="as encode gives it")},
            params=label,
            state={"place": State(dtype="float32", shape=latent, init="input", input="latent")},
            stages=(Stage(graph="generate", bind=FIXED | {"latent": "place"}),),
            outputs={"image": output},
        ),
        **of_inputs("image", given, output, latent, label, encode, decode),
    }


def golden(examples: Examples, latent: tuple[int, ...], classes: int) -> tuple[Request, ...]:
    one, two = ({"label": int(label)} for label in examples.labels[:2])
    first, second = examples.images[:2]
    ends, ramp = {"first": first, "second": second}, torch.linspace(-1.0, 1.0, math.prod(latent)).reshape(latent)
    return (
        Request("generate_label", "generate", 1, 0, {"label": classes - 1}),
        Request("generate_any", "generate", 2, 3, {"temperature": 0.7}),
        Request("score_first", "score", 4, 0, one, {"image": first}),
        Request("score_second", "score", 5, 2, two, {"image": second}),
        Request("encode_first", "encode", 0, 0, one, {"image": first}),
        Request("decode_ramp", "decode", 0, 0, two, {"latent": ramp.numpy()}),
        Request("interpolate_third", "interpolate", 0, 1, {**one, "frames": 4}, ends),
        Request("vary_near", "vary", 6, 0, {**one, "strength": 0.4}, {"image": first}),
        Request("cross_half", "cross", 7, 1, one, {"image": first, "other": second}),
    )
