"""Pixel-by-pixel models with recurrent cells (van den Oord et al. 2016, Pixel Recurrent Neural Networks).

One step computes the cell of one pixel and draws its level by inverting the distribution function at a uniform number.
Pixels of a given prefix keep their level; their cells are computed all the same.
"""

from __future__ import annotations

from typing import Protocol, cast

import numpy as np
import torch
from torch import Tensor, nn

from brood.protocol.manifest import (
    GraphInput,
    GraphOutput,
    Input,
    Noise,
    Operation,
    Output,
    Param,
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
    Request,
    StepGraph,
    any_label,
    called,
    examples_or_drawn,
    finite,
    label_input,
    label_noise,
    label_output,
    label_param,
    made_label,
    number_input,
    ok_output,
    require,
    sheet,
    tried,
    true_label_param,
)
from brood_export.families.unlabelled import Unlabelled, without_labels

CARRIED: dict[str, str | float] = {"next_canvas": "canvas", "next_h": "h", "next_c": "c"}  # graph output -> state


class PixelCell(Protocol):
    """What the adapter calls and reads."""

    side: int
    levels: int
    hidden: int
    labels: int

    def cell(
        self, canvas: Tensor, h: Tensor, c: Tensor, position: Tensor, label: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]: ...


class Step(nn.Module):
    """One pixel of every row, each row at its own position."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        facts = cast(PixelCell, model)
        self.side, self.labels = facts.side, facts.labels

    def forward(
        self,
        canvas: Tensor,
        h: Tensor,
        c: Tensor,
        position: Tensor,
        pixel_noise: Tensor,
        label_noise: Tensor,
        label: Tensor,
        temperature: Tensor,
        given: Tensor,
    ) -> tuple[Tensor, ...]:
        label = any_label(label, label_noise, self.labels)
        levels = canvas.flatten(1).to(torch.int64)
        logits, h, c = cast(PixelCell, self.model).cell(levels, h, c, position, label)
        kept = levels.gather(1, position[:, None])[:, 0]
        level = torch.where(position < given, kept, draw_level(logits, temperature, pixel_noise))
        drawn = put_level(levels, position, level).to(torch.uint8).reshape(-1, 1, self.side, self.side)
        return drawn, h, c, label, finite(logits)

    def margin(
        self,
        canvas: Tensor,
        h: Tensor,
        c: Tensor,
        position: Tensor,
        pixel_noise: Tensor,
        label_noise: Tensor,
        label: Tensor,
        temperature: Tensor,
        given: Tensor,
    ) -> Tensor:
        """[rows]: distance of the uniform number from the nearest edge between two levels; 1 where nothing is drawn."""
        label = any_label(label, label_noise, self.labels)
        logits, _, _ = cast(PixelCell, self.model).cell(canvas.flatten(1).to(torch.int64), h, c, position, label)
        edges = distribution(logits, temperature)[:, :-1]
        return torch.where(position < given, 1.0, (edges - pixel_noise[:, None]).abs().amin(1))


class Tell(nn.Module):
    """One pixel of a given picture: how likely its level was, added to that of those before it."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, canvas: Tensor, h: Tensor, c: Tensor, total: Tensor, position: Tensor, label: Tensor
    ) -> tuple[Tensor, ...]:
        levels = canvas.flatten(1).to(torch.int64)
        logits, h, c = cast(PixelCell, self.model).cell(levels, h, c, position, label)
        seen = levels.gather(1, position[:, None])
        return h, c, total + torch.log_softmax(logits, -1).gather(1, seen)[:, 0], finite(logits)


def distribution(logits: Tensor, temperature: Tensor) -> Tensor:
    """Distribution function [rows, levels] of softmax(logits / temperature); `temperature` [rows] above 0."""
    return torch.softmax(logits / temperature[:, None], -1).cumsum(-1)


def draw_level(logits: Tensor, temperature: Tensor, uniform: Tensor) -> Tensor:
    """Levels int64 [rows] by inverting the distribution function at `uniform` [rows] in the open interval (0, 1)."""
    below = distribution(logits, temperature) < uniform[:, None]
    # The last sum may round below the largest uniform number, hence the clamp.
    return below.sum(-1).clamp(max=logits.shape[-1] - 1)


def put_level(canvas: Tensor, position: Tensor, level: Tensor) -> Tensor:
    """The canvas [rows, pixels] with `level` [rows] written at `position` [rows]."""
    pixels = torch.arange(canvas.shape[1], device=canvas.device)
    return torch.where(pixels == position[:, None], level[:, None], canvas)


def pixelrnn(model: nn.Module, *, examples: Examples | None = None) -> ExportSpec:
    """A model with ``cell(canvas, h, c, position, label) -> (logits, h, c)`` for one pixel per row.

    Where its labels are 0 it takes none: ``cell(canvas, h, c, position)``.

    Args:
        model: in evaluation mode; attributes side, levels, hidden, labels; h and c are [rows, side, hidden].
        examples: pictures for the golden samples, quantised here; without, noise is completed.

    Raises:
        Misfit: the model lacks one of them.
    """
    require(model, "pixelrnn", "cell", "side", "levels", "hidden", "labels")
    facts = cast(PixelCell, model)
    if facts.labels == 0:
        return without_labels(spec_of(OneClass(model), examples))
    return spec_of(model, examples)


class OneClass(Unlabelled):
    """A model without labels, as one of a single class."""

    labels = 1


def spec_of(model: nn.Module, examples: Examples | None) -> ExportSpec:
    """The spec of a model that takes labels."""
    facts = cast(PixelCell, model)
    check_cell(model, facts)
    picture = (1, facts.side, facts.side)
    return ExportSpec(
        family="pixelrnn",
        domain="discrete",
        description="Two-dimensional recurrent network, one pixel at a time.",
        graphs={"step": step_graph(model, facts), "tell": tell_graph(model, facts)},
        operations=operations(facts),
        schedule=Schedule(kind="raster", numbers={"count": facts.side**2}),
        sample=Sample(range=(0.0, facts.levels - 1.0)),
        golden=golden(facts, examples_or_drawn(examples, picture, facts.labels)),
        preview=sheet(facts.labels),
        preview_columns=facts.labels,
    )


def check_cell(model: nn.Module, facts: PixelCell) -> None:
    """Whether the cell takes and gives what it should.

    Raises:
        Misfit: it does not; says what it gives.
    """
    cells, whole = torch.zeros(2, facts.side, facts.hidden), torch.zeros(2, dtype=torch.int64)
    canvas = torch.zeros(2, facts.side**2, dtype=torch.int64)
    found = tried(model, "pixelrnn", "cell", canvas, cells, cells, whole, whole)
    shapes, wanted = [list(result.shape) for result in found], [[2, facts.levels], *[list(cells.shape)] * 2]
    if shapes != wanted:
        raise Misfit(f"{called(model)}.cell gives {shapes}; allowed: {wanted}, logits and the new h and c")


def step_graph(model: nn.Module, facts: PixelCell) -> StepGraph:
    step = Step(model)
    picture, cells = (1, facts.side, facts.side), (facts.side, facts.hidden)
    noise = Noise(distribution="uniform", stream=LATENT_STREAM)
    return StepGraph(
        module=step,
        inputs={
            "canvas": GraphInput(dtype="uint8", shape=picture, role="state"),
            "h": GraphInput(dtype="float32", shape=cells, role="state"),
            "c": GraphInput(dtype="float32", shape=cells, role="state"),
            "position": GraphInput(dtype="int64", role="schedule"),
            "pixel_noise": GraphInput(dtype="float32", role="noise", noise=noise),
            "label_noise": GraphInput(dtype="float32", role="state"),
            "label": label_input(),
            "temperature": number_input(),
            "given": GraphInput(dtype="int64", role="param"),
        },
        outputs={
            "next_canvas": GraphOutput(dtype="uint8", shape=picture, role="state"),
            "next_h": GraphOutput(dtype="float32", shape=cells, role="state"),
            "next_c": GraphOutput(dtype="float32", shape=cells, role="state"),
            "made_label": label_output(),
            "ok": ok_output(),
        },
        ranges={
            "canvas": (0, facts.levels - 1),
            "h": (-1.0, 1.0),
            "c": (-2.0, 2.0),
            "position": (0, facts.side**2 - 1),
            "label_noise": (0.0, 1.0),
            "label": (-1, facts.labels - 1),
            "temperature": (0.5, 1.5),
            "given": (0, facts.side**2 // 2),
        },
        margin=step.margin,
    )


def tell_graph(model: nn.Module, facts: PixelCell) -> StepGraph:
    picture, cells = (1, facts.side, facts.side), (facts.side, facts.hidden)
    given, made = {"dtype": "float32", "shape": cells, "role": "state"}, GraphOutput(dtype="float32", role="state")
    return StepGraph(
        module=Tell(model),
        inputs={
            "canvas": GraphInput(dtype="uint8", shape=picture, role="input"),
            "h": GraphInput.model_validate(given),
            "c": GraphInput.model_validate(given),
            "total": GraphInput(dtype="float32", role="state"),
            "position": GraphInput(dtype="int64", role="schedule"),
            "label": label_input(),
        },
        outputs={
            "next_h": GraphOutput.model_validate(given),
            "next_c": GraphOutput.model_validate(given),
            "next_total": made,
            "ok": ok_output(),
        },
        ranges={
            "canvas": (0, facts.levels - 1),
            "h": (-1.0, 1.0),
            "c": (-2.0, 2.0),
            "total": (-100.0, 0.0),
            "position": (0, facts.side**2 - 1),
            "label": (0, facts.labels - 1),
        },
    )


def score(facts: PixelCell, given: Input, cells: State) -> Operation:
    """Σ log p(level | those before it), pixel by pixel."""
    bound: dict[str, str | float] = {"canvas": "image", "next_h": "h", "next_c": "c", "next_total": "total"}
    text = "of all levels of the picture, in nats"
    return Operation(
        description="Log-likelihood of a picture, each pixel given those before it.",
        inputs={"image": given},
        params={"label": true_label_param(facts.labels)},
        state={"h": cells, "c": cells, "total": State(dtype="float32", init="zeros")},
        stages=(Stage(graph="tell", repeat="schedule", bind=bound),),
        outputs={"log_likelihood": Output(dtype="float32", kind="scalar", value="total", description=text)},
    )


def operations(facts: PixelCell) -> dict[str, Operation]:
    picture, cells = (1, facts.side, facts.side), State(dtype="float32", shape=(facts.side, facts.hidden), init="zeros")
    label_state = State(dtype="float32", init="noise", noise=label_noise())
    params = {"label": label_param(facts.labels), "temperature": level_temperature()}
    image = Output(
        dtype="uint8",
        shape=picture,
        kind="image",
        value="canvas",
        description=f"grey levels 0 to {facts.levels - 1}",
    )
    outputs = {"image": image, "label": made_label()}
    given = Input(
        kind="image",
        dtype="uint8",
        shape=picture,
        minimum=0,
        maximum=facts.levels - 1,
        description=f"grey levels 0 to {facts.levels - 1}",
    )
    return {
        "generate": Operation(
            description="Draw pictures pixel by pixel, in reading order.",
            params=params,
            state={
                "canvas": State(dtype="uint8", shape=picture, init="zeros"),
                "h": cells,
                "c": cells,
                "label_noise": label_state,
            },
            stages=(Stage(graph="step", repeat="schedule", bind=CARRIED | {"given": 0.0}),),
            outputs=outputs,
        ),
        "complete": Operation(
            description="Keep the first pixels of a picture, in reading order, and draw the rest.",
            inputs={"image": given},
            params=params | {"given": given_param(facts)},
            state={
                "canvas": State(dtype="uint8", shape=picture, init="input", input="image"),
                "h": cells,
                "c": cells,
                "label_noise": label_state,
            },
            stages=(Stage(graph="step", repeat="schedule", bind=CARRIED),),
            outputs=outputs,
        ),
        "score": score(facts, given, cells),
    }


def level_temperature() -> Param:
    text = "divides the logits: below 1 likelier levels, above 1 more variety"
    return Param(type="float", default=1.0, minimum=0.05, maximum=5.0, description=text)


def given_param(facts: PixelCell) -> Param:
    count = facts.side**2
    return Param(
        type="int",
        default=count // 2,
        minimum=0,
        maximum=count,
        unit="pixels",
        description="how many pixels are kept, from the top left in reading order",
    )


def golden(facts: PixelCell, examples: Examples) -> tuple[Request, ...]:
    first, second = np.rint(examples.images[:2] * (facts.levels - 1)).astype(np.uint8)
    one, two = (int(label) for label in examples.labels[:2])
    return (
        Request("generate_label", "generate", 1, 0, {"label": facts.labels - 1}),
        Request("generate_any", "generate", 2, 3, {"temperature": 0.8}),
        Request("complete_half", "complete", 3, 0, {"label": one}, {"image": first}),
        Request("complete_little", "complete", 4, 1, {"label": two, "given": facts.side * 3 + 1}, {"image": second}),
        Request("score_first", "score", 0, 0, {"label": one}, {"image": first}),
    )
