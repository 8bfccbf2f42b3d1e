"""Latent diffusion (Rombach et al. 2022): a denoiser of latents between an encoder and a decoder of pictures.

The three are stages of one program: encode once, denoise in every step, decode once. A preview decodes the x_0 of an
unfinished row.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from brood.protocol.manifest import (
    GraphInput,
    GraphOutput,
    Input,
    Noise,
    Operation,
    Output,
    Preview,
    Sample,
    Schedule,
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
    called,
    examples_or_drawn,
    finite,
    ok_output,
    row_shape,
    sheet,
    tried,
)
from brood_export.families.denoiser import Space, check_denoiser, step_graph
from brood_export.families.denoiser_words import Defaults, golden, golden_steps, only, operations
from brood_export.families.diffusion import Betas, levels, noise_schedule
from brood_export.families.medium import Medium
from brood_export.families.original import Denoiser
from brood_export.families.textbook import Prediction
from brood_export.families.unlabelled import labels_optional

REACH = 4.0  # latents of unit variance hardly leave ±this; graphs are tried with such
OUTPUT = "image"


class Encode(nn.Module):
    """Picture to latent, of the variance the denoiser was trained with."""

    def __init__(self, encoder: nn.Module, scale: float, shift: float) -> None:
        super().__init__()
        self.model, self.scale, self.shift = encoder, scale, shift

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        latent = (self.model(image) - self.shift) * self.scale
        return latent, finite(latent)


class Decode(nn.Module):
    """Latent to picture."""

    def __init__(self, decoder: nn.Module, scale: float, shift: float, value_range: Range) -> None:
        super().__init__()
        self.model, self.scale, self.shift, self.value_range = decoder, scale, shift, value_range

    def forward(self, latent: Tensor) -> tuple[Tensor, ...]:
        raw = self.model(latent / self.scale + self.shift)
        return raw.clamp(*self.value_range), finite(raw)


class Begin(nn.Module):
    """The first x of a run that begins with a given latent: i0·encoded + i1·noise."""

    def forward(self, encoded: Tensor, begin_noise: Tensor, init: Tensor) -> tuple[Tensor, ...]:
        i0, i1 = (number.reshape(-1, *[1] * (encoded.dim() - 1)) for number in init.unbind(1))
        x = i0 * encoded + i1 * begin_noise
        return x, finite(x)


@dataclass(frozen=True, slots=True)
class Whole:
    """Whole runs: the textbook's on latents, between the original encoder and decoder."""

    denoiser: Denoiser
    encode: Encode | None
    decode: Decode

    @torch.no_grad()
    def original(self, request: Request) -> Mapping[str, NDArray[np.generic]]:
        """The sample of a request that has all its parameters: every output, without the rows axis."""
        inputs = dict(request.inputs)
        if request.operation == "decode":
            return {OUTPUT: self.picture(inputs["latent"])}
        if self.encode is not None and OUTPUT in inputs:
            encoded = self.encode(torch.from_numpy(np.asarray(inputs.pop(OUTPUT))[None]))[0][0].numpy()
            if request.operation == "encode":
                return {"latent": encoded}
            inputs["latent"] = encoded
        made = dict(self.denoiser.original(replace(request, inputs=inputs)))
        return {OUTPUT: self.picture(made.pop("latent")), **made}

    def picture(self, latent: NDArray[np.generic]) -> NDArray[np.generic]:
        found: NDArray[np.generic] = self.decode(torch.from_numpy(np.asarray(latent)[None]))[0][0].numpy()
        return found


@labels_optional
def latent_diffusion(
    model: nn.Module,
    *,
    latent: tuple[int, ...],
    image: tuple[int, int, int],
    decoder: nn.Module,
    prediction: Prediction,
    betas: Betas,
    encoder: nn.Module | None = None,
    classes: int = 0,
    train_steps: int = 1000,
    beta_start: float = 1e-4,
    beta_end: float = 0.02,
    scale: float = 1.0,
    shift: float = 0.0,
    value_range: Range = (-1.0, 1.0),
    examples: Examples | None = None,
    steps: int = 20,
    sampler: str = "dpmpp-2m",
    guidance: float = 1.0,
) -> ExportSpec:
    """A denoiser ``model(x [rows, *latent], t [rows] float32, label [rows] int64) -> m``, with a decoder of pictures.

    Without classes it is ``model(x, t)``.

    Args:
        model: in evaluation mode; the label `classes` means that none is given (classifier-free guidance).
        latent: shape of one latent.
        image: channels, height, width of the picture.
        decoder: ``decoder(latent [rows, *latent]) -> image``.
        prediction: what m is of x = α x_0 + σ ε: ε, v = α ε − σ x_0, or x_0.
        betas, beta_start, beta_end: the noise schedule of the training.
        encoder: ``encoder(image) -> latent``, its mean; without it nothing begins with a picture.
        classes: labels are 0 … classes-1; 0: the model takes no label.
        train_steps: how many timesteps the training had.
        scale, shift: the denoiser's latent is (encoder's − shift)·scale.
        value_range: pixel values shown as black and white; pictures are kept within.
        examples: pictures for the golden samples; without, noise is used.
        steps, sampler, guidance: defaults of these parameters.

    Raises:
        Misfit: one of the three does not give what the next one takes.
    """
    check_ends(encoder, decoder, latent, image)
    free = Space(latent, classes, math.inf, "latent", Medium("tensor", None), False)
    space = replace(free, extent=REACH)
    check_denoiser(model, "latent-diffusion", space)
    schedule = noise_schedule(prediction, betas, train_steps, (beta_start, beta_end), None)
    encode = None if encoder is None else Encode(encoder, scale, shift)
    whole = Whole(
        Denoiser(model, free, prediction, levels(schedule)), encode, Decode(decoder, scale, shift, value_range)
    )
    found = examples_or_drawn(examples, image, classes, value_range)
    defaults = Defaults(steps, guidance, sampler)
    return spec_of(whole, space, schedule, defaults, Ends(image, latent, value_range), found)


def spec_of(
    whole: Whole, space: Space, schedule: Schedule, defaults: Defaults, ends: Ends, examples: Examples
) -> ExportSpec:
    """The spec of a model whose parts fit."""
    model, classes = whole.denoiser.model, space.classes
    offered = ends.operations(operations(space, schedule, defaults), whole.encode is not None)
    steps = golden_steps(int(schedule.numbers["train_steps"]))
    wished = golden(replace(space, output=OUTPUT), examples, steps)
    return ExportSpec(
        family="latent-diffusion",
        domain="continuous",
        description="Latent diffusion model, with classifier-free guidance.",
        graphs={
            "step": step_graph(model, space, guided=False),
            "step_guided": step_graph(model, space, guided=True),
            **ends.graphs(whole.encode, whole.decode),
        },
        operations=offered,
        schedule=schedule,
        sample=Sample(range=ends.value_range),
        golden=only((*wished, *ends.golden(examples)), offered),
        preview=sheet(classes),
        preview_columns=classes,
        original=whole.original,
    )


def check_ends(
    encoder: nn.Module | None, decoder: nn.Module, latent: tuple[int, ...], image: tuple[int, int, int]
) -> None:
    """Whether encoder and decoder are of these shapes.

    Raises:
        Misfit: naming the one that is not, and what it gives.
    """
    ways = [(decoder, latent, image)] + ([(encoder, image, latent)] if encoder is not None else [])
    for module, given, wanted in ways:
        (found,) = tried(module, "latent-diffusion", "forward", torch.zeros(2, *given))[:1]
        if row_shape(found) != wanted:
            raise Misfit(f"{called(module)} gives {list(row_shape(found))} a row; allowed: {list(wanted)}")


@dataclass(frozen=True, slots=True)
class Ends:
    """What lies around the denoiser."""

    image: tuple[int, int, int]
    latent: tuple[int, ...]
    value_range: Range

    def graphs(self, encode: Encode | None, decode: Decode) -> dict[str, StepGraph]:
        """``decode``; with an encoder also ``encode`` and ``begin``."""
        latent = GraphInput(dtype="float32", shape=self.latent, role="input")
        made = GraphOutput(dtype="float32", shape=self.image, role="output")
        outputs = {OUTPUT: made, "ok": ok_output()}
        found = {"decode": StepGraph(decode, {"latent": latent}, outputs, {"latent": (-REACH, REACH)})}
        if encode is None:
            return found
        picture = GraphInput(dtype="float32", shape=self.image, role="input")
        state = GraphOutput(dtype="float32", shape=self.latent, role="output")
        ranges = {"image": self.value_range}
        found["encode"] = StepGraph(encode, {"image": picture}, {"encoded": state, "ok": ok_output()}, ranges)
        return found | {"begin": self.begin()}

    def begin(self) -> StepGraph:
        drawn = Noise(distribution="normal", stream=LATENT_STREAM)
        return StepGraph(
            module=Begin(),
            inputs={
                "encoded": GraphInput(dtype="float32", shape=self.latent, role="state"),
                "begin_noise": GraphInput(dtype="float32", shape=self.latent, role="noise", noise=drawn),
                "init": GraphInput(dtype="float32", shape=(2,), role="schedule"),
            },
            outputs={
                "begun": GraphOutput(dtype="float32", shape=self.latent, role="state"),
                "ok": ok_output(),
            },
            ranges={"encoded": (-REACH, REACH), "init": (0.0, 1.0)},
        )

    def operations(self, inner: Mapping[str, Operation], encodes: bool) -> dict[str, Operation]:
        """generate and decode; with an encoder also vary and encode."""
        picture = Output(dtype="float32", shape=self.image, kind="image")
        numbers = Output(dtype="float32", shape=self.latent, kind="tensor")
        decode = Stage(graph="decode", bind={"latent": "x"})
        shared = {
            "preview": Preview(graph="decode", bind={"latent": "x0"}),
            "outputs": {OUTPUT: picture, **{k: v for k, v in inner["generate"].outputs.items() if k == "label"}},
        }
        generate = inner["generate"]
        found = {"generate": generate.model_copy(update={"stages": (*generate.stages, decode), **shared})}
        about = "as encode gives it" if encodes else "of about unit variance"
        given = Input(kind="tensor", dtype="float32", shape=self.latent, description=about)
        found["decode"] = Operation(
            description="The picture of a latent.",
            inputs={"latent": given},
            stages=(Stage(graph="decode"),),
            outputs={OUTPUT: picture},
        )
        if encodes:
            found |= {"vary": self.vary(inner["vary"], decode, shared), "encode": self.encoding(numbers)}
        return found

    def encoding(self, numbers: Output) -> Operation:
        return Operation(
            description="The latent of a picture.",
            inputs={OUTPUT: self.given()},
            stages=(Stage(graph="encode"),),
            outputs={"latent": numbers.model_copy(update={"value": "encoded"})},
        )

    def vary(self, inner: Operation, decode: Stage, shared: Mapping[str, object]) -> Operation:
        begun = State(dtype="float32", shape=self.latent, init="zeros")
        texts = {name: spec for name, spec in inner.inputs.items() if spec.kind == "text"}
        reads = [stage for stage in inner.stages if stage.repeat == "per_request"]
        begin = (Stage(graph="encode"), Stage(graph="begin", bind={"begun": "x"}))
        stages = (*reads, *begin, *inner.stages[len(reads) :], decode)
        state = inner.state | {"x": begun, "encoded": begun}
        text = "Encode a picture, add noise to its latent, denoise that and decode it."
        words = {"description": text, "inputs": {**texts, OUTPUT: self.given()}, "state": state, "stages": stages}
        return inner.model_copy(update={**words, **shared})

    def given(self) -> Input:
        low, high = self.value_range
        return Input(
            kind="image", dtype="float32", shape=self.image, minimum=low, maximum=high, description="the picture"
        )

    def golden(self, examples: Examples) -> tuple[Request, ...]:
        ramp = np.linspace(-1.0, 1.0, math.prod(self.latent), dtype=np.float32).reshape(self.latent)
        return (
            Request("encode_first", "encode", 0, 0, {}, {OUTPUT: examples.images[0]}),
            Request("decode_ramp", "decode", 0, 0, {}, {"latent": ramp}),
        )
