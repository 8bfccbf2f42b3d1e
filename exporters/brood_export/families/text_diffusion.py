"""Latent diffusion that a prompt conditions (Rombach et al. 2022, section 3.3): text encoder, denoiser, decoder.

Prompt and negative prompt are read once for all samples of a request. The denoiser attends to what was read; where it
is guided, it is called with both of a row at once, and the negative prompt stands for the null condition:

    m = u + g·(c − u),  c, u = network(s·x, t, prompt), network(s·x, t, negative prompt)
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from brood.protocol.manifest import GraphInput, GraphOutput, Input, Noise, Operation, Sample, Schedule, Stage, State
from brood_export.families.base import STEP_STREAM, Examples, ExportSpec, Request, StepGraph, finite, ok_output
from brood_export.families.denoiser import HIGHEST, LOWEST, SOLVER, Solver, Space
from brood_export.families.denoiser_words import Defaults, golden_steps, operations
from brood_export.families.diffusion import levels
from brood_export.families.latent_diffusion import OUTPUT, REACH, Decode, Encode, Ends, Whole, check_ends
from brood_export.families.medium import Medium
from brood_export.families.original import Denoiser
from brood_export.families.textbook import Prediction

TOKENIZER = "tokenizer.json"
TEXTS = {"prompt": "context", "negative_prompt": "contrast"}  # input -> state with what was read of it
GUIDANCE = "how much the prompt counts against the negative one: 1 as learned, with one network call a step, not two"
SHEET = 8  # samples on the sample sheet
GOLDEN_SAMPLERS = ("euler", "dpmpp-2m", "ddpm")  # to a last level that no word of the schedule moves


@dataclass(frozen=True, slots=True)
class Text:
    """How texts become what the denoiser attends to."""

    encoder: nn.Module  # (tokens [rows, length] int64) -> [rows, length, width], or a tuple with that in front
    tokenizer: bytes  # tokenizer.json
    length: int  # tokens
    width: int
    vocabulary: int
    pad: int  # token behind the last one
    examples: tuple[NDArray[np.int64], NDArray[np.int64]]  # tokens [length] of a prompt and of a negative one

    @property
    def shape(self) -> tuple[int, int]:
        return self.length, self.width

    @property
    def given(self) -> dict[str, NDArray[np.int64]]:
        return dict(zip(TEXTS, self.examples, strict=True))

    def inputs(self) -> dict[str, Input]:
        words = {"kind": "text", "dtype": "int64", "shape": (self.length,), "tokenizer": TOKENIZER, "pad": self.pad}
        about = "what the picture is to show", "what it is not to show, where it is guided"
        prompt, negative = (Input.model_validate(words | {"description": text}) for text in about)
        return dict(zip(TEXTS, (prompt, negative.model_copy(update={"default": ""})), strict=True))


class Read(nn.Module):
    """A text, as the denoiser attends to it."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.model = encoder

    def forward(self, tokens: Tensor) -> tuple[Tensor, ...]:
        found = self.model(tokens)
        read: Tensor = found if isinstance(found, Tensor) else found[0]
        return read, finite(read)


class TextStep(Solver):
    """A step for g = 1: the negative prompt takes no part."""

    def forward(self, x: Tensor, x0: Tensor, noise: Tensor, solver: Tensor, context: Tensor) -> tuple[Tensor, ...]:
        next_x, next_x0, _, ok = self.solved(x, x0, noise, solver, context)
        return next_x, next_x0, ok


class GuidedTextStep(Solver):
    """A step with both texts of a row in one call."""

    def forward(
        self, x: Tensor, x0: Tensor, noise: Tensor, solver: Tensor, context: Tensor, contrast: Tensor
    ) -> tuple[Tensor, ...]:
        next_x, next_x0, _, ok = self.solved(x, x0, noise, solver, torch.stack([context, contrast], 1))
        return next_x, next_x0, ok

    def pair(self, condition: Tensor) -> Tensor:
        return condition.flatten(0, 1)


class TwoTexts(nn.Module):
    """A denoiser of labels: 0 is the prompt, 1 the negative one."""

    def __init__(self, denoiser: nn.Module, read: Tensor) -> None:
        super().__init__()
        self.model, self.read = denoiser, read

    def forward(self, x: Tensor, t: Tensor, label: Tensor) -> Tensor:
        found: Tensor = self.model(x, t, self.read[label])
        return found


@dataclass(frozen=True, slots=True)
class Original:
    """Whole runs: texts read by the original encoder, the textbook's steps, the original decoder."""

    denoiser: nn.Module
    read: Read
    shape: tuple[int, int]
    space: Space
    prediction: Prediction
    levels: NDArray[np.float64]
    encode: Encode | None
    decode: Decode

    @torch.no_grad()
    def __call__(self, request: Request) -> Mapping[str, NDArray[np.generic]]:
        """The sample of a request that has all its parameters: every output, without the rows axis."""
        tokens = [torch.from_numpy(np.asarray(request.inputs[name])[None]) for name in TEXTS if name in request.inputs]
        read = torch.cat([self.read(each)[0] for each in tokens]) if tokens else torch.zeros(2, *self.shape)
        denoiser = Denoiser(TwoTexts(self.denoiser, read), self.space, self.prediction, self.levels)
        inputs = {name: value for name, value in request.inputs.items() if name not in TEXTS}
        asked = replace(request, inputs=inputs, params={"label": 0, **request.params})
        made = Whole(denoiser, self.encode, self.decode).original(asked)
        return {name: value for name, value in made.items() if name != "label"}


def text_diffusion(
    denoiser: nn.Module,
    text: Text,
    *,
    latent: tuple[int, ...],
    image: tuple[int, int, int],
    decoder: nn.Module,
    encoder: nn.Module | None,
    schedule: Schedule,
    scale: float,
    shift: float,
    defaults: Defaults,
) -> ExportSpec:
    """A denoiser ``denoiser(x [rows, *latent], t [rows] float32, context [rows, length, width]) -> m``, with texts.

    Args:
        denoiser, decoder, encoder: in evaluation mode; ``decoder(latent) -> image`` in ±1, and back (its mean) where
            there is an encoder; without it nothing begins with a picture.
        text: of the prompts.
        latent, image: shapes of one row.
        schedule: the noise levels of the training, of kind ``diffusion``, without a clip.
        scale, shift: the denoiser's latent is (encoder's − shift)·scale.
        defaults: of the parameters.

    Raises:
        Misfit: encoder or decoder do not give what the next one takes.
    """
    check_ends(encoder, decoder, latent, image)
    ends, space = Ends(image, latent, (-1.0, 1.0)), Space(latent, 1, REACH, "latent", Medium("tensor", None), False)
    encode = None if encoder is None else Encode(encoder, scale, shift)
    decode, read = Decode(decoder, scale, shift, ends.value_range), Read(text.encoder)
    inner = {name: spoken(each, text) for name, each in operations(space, schedule, defaults).items()}
    free = replace(space, extent=math.inf)
    prediction: Any = schedule.words["prediction"]
    original = Original(denoiser, read, text.shape, free, prediction, levels(schedule), encode, decode)
    return ExportSpec(
        family="latent-diffusion",
        domain="continuous",
        description="Latent diffusion model that reads prompts.",
        graphs={
            "read": read_graph(read, text),
            "step": step_graph(TextStep(denoiser, 1, guided=False), space, text),
            "step_guided": step_graph(GuidedTextStep(denoiser, 1, guided=True), space, text),
            **ends.graphs(encode, decode),
        },
        operations=ends.operations(inner, encodes=encode is not None),
        schedule=schedule,
        sample=Sample(range=ends.value_range),
        golden=golden(ends, text, int(schedule.numbers["train_steps"]), encodes=encode is not None),
        preview=tuple(Request(f"sheet_{index}", "generate", 0, index, {}, text.given) for index in range(SHEET)),
        preview_columns=SHEET,
        original=original,
        files={TOKENIZER: text.tokenizer},
    )


def spoken(operation: Operation, text: Text) -> Operation:
    """An operation of labels in words about texts."""
    params = {name: param for name, param in operation.params.items() if name != "label"}
    params["guidance"] = params["guidance"].model_copy(update={"description": GUIDANCE})
    states = {state: State(dtype="float32", shape=text.shape, init="zeros") for state in TEXTS.values()}
    reads = (
        Stage(graph="read", repeat="per_request", bind={"tokens": name, "told": state}) for name, state in TEXTS.items()
    )
    return operation.model_copy(
        update={
            "inputs": text.inputs() | operation.inputs,
            "params": params,
            "state": {name: state for name, state in operation.state.items() if name != "label_noise"} | states,
            "stages": (*reads, *operation.stages),
            "outputs": {name: output for name, output in operation.outputs.items() if name != "label"},
        }
    )


def read_graph(read: Read, text: Text) -> StepGraph:
    """``read``."""
    return StepGraph(
        module=read,
        inputs={"tokens": GraphInput(dtype="int64", shape=(text.length,), role="input")},
        outputs={"told": GraphOutput(dtype="float32", shape=text.shape, role="state"), "ok": ok_output()},
        ranges={"tokens": (0, text.vocabulary - 1)},
    )


def step_graph(step: TextStep | GuidedTextStep, space: Space, text: Text) -> StepGraph:
    """``step``, or ``step_guided``."""
    state = GraphInput(dtype="float32", shape=space.shape, role="state")
    made = GraphOutput(dtype="float32", shape=space.shape, role="state")
    noise = Noise(distribution="normal", stream=STEP_STREAM, scale="noise")
    states = list(TEXTS.values()) if step.guided else ["context"]
    told = GraphInput(dtype="float32", shape=text.shape, role="state")
    return StepGraph(
        module=step,
        inputs={
            "x": state,
            "x0": state,
            "noise": GraphInput(dtype="float32", shape=space.shape, role="noise", noise=noise),
            "solver": GraphInput(dtype="float32", shape=(SOLVER,), role="schedule"),
            **dict.fromkeys(states, told),
        },
        outputs={"next_x": made, "next_x0": made, "ok": ok_output()},
        ranges={
            "x": (-3.0, 3.0),
            "x0": space.range,
            "solver": (LOWEST, HIGHEST),
            **dict.fromkeys(states, (-2.0, 2.0)),
        },
    )


def golden(ends: Ends, text: Text, timesteps: int, *, encodes: bool) -> tuple[Request, ...]:
    """Both graphs, several samplers, and every operation."""
    steps = golden_steps(timesteps)
    plain: dict[str, Any] = {"steps": steps, "spacing": "trailing", "guidance": 1.0}
    partly = {**plain, "guidance": 5.0, "guidance_start": 0.25, "guidance_stop": 0.75}
    size = math.prod(ends.image)
    picture = np.linspace(*ends.value_range, size, dtype=np.float32).reshape(ends.image)
    requests: list[Request] = [
        Request("generate_plain", "generate", 1, 0, plain | {"sampler": "dpmpp-2m"}, text.given),
        *(
            Request(f"generate_{name.replace('-', '_')}", "generate", 2, 3, partly | {"sampler": name}, text.given)
            for name in GOLDEN_SAMPLERS
        ),
    ]
    around: Sequence[Request] = ends.golden(Examples(picture[None], np.zeros(1, np.int64)))
    if not encodes:
        return (*requests, *(each for each in around if each.operation == "decode"))
    begun = partly | {"sampler": "dpmpp-2m", "strength": 0.75}
    return (*requests, Request("vary", "vary", 5, 0, begun, {**text.given, OUTPUT: picture}), *around)
