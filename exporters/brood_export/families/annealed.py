"""What the energy-based families share: binary units that walk from noise to a sample while the temperature falls.

One step is one sweep of Gibbs sampling (Kirkpatrick, Gelatt and Vecchi 1983 for the falling temperature). The label's
units are clamped to the class, pixels to the given ones; the picture is the units' probability in the last sweep.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from brood.protocol.manifest import (
    Family,
    GraphInput,
    GraphOutput,
    Input,
    Noise,
    Operation,
    Output,
    Param,
    Sample,
    Scalar,
    Schedule,
    Stage,
    State,
)
from brood_export.families.base import (
    EXTRA_STREAM,
    LATENT_STREAM,
    Examples,
    ExportSpec,
    Margin,
    Request,
    StepGraph,
    any_label,
    examples_or_drawn,
    label_input,
    label_noise,
    label_output,
    label_param,
    made_label,
    ok_output,
    sheet,
    true_label_param,
)
from brood_export.families.unlabelled import without_labels

CARRIED: dict[str, str | float] = {"next_units": "units"}  # graph output -> state
GOLDEN_STEPS = 24  # few decisions, so that a seed is soon found with none of them on edge
SHORT: Mapping[str, Scalar] = {"steps": GOLDEN_STEPS}


@dataclass(frozen=True, slots=True)
class Walk:
    """The shape of a machine and of its annealed walk."""

    image: tuple[int, int, int]  # channels, height, width
    labels: int
    units: int  # in the state that is carried from sweep to sweep
    draws: int  # uniform numbers of one sweep
    steps: int  # default number of sweeps
    start: float  # temperature of the first sweep
    hold: float  # share of the sweeps at the final temperature


class Clamped(nn.Module):
    """Base of the graphs: which units are clamped, and to what."""

    text = ""  # what it tells, where that is one number

    def __init__(self, model: nn.Module, walk: Walk) -> None:
        super().__init__()
        self.model, self.labels = model, walk.labels
        self.image = walk.image
        self.others = walk.units - walk.image[0] * walk.image[1] * walk.image[2] - walk.labels

    def clamps(self, label: Tensor, image: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Mask and known values [rows, units], the units in the order pixels, label one-hot, others."""
        one_hot = (label[:, None] == torch.arange(self.labels)).to(torch.float32)
        rest = torch.zeros_like(image.flatten(1)[:, :1]).expand(-1, self.others)
        known = torch.cat([binary(image.flatten(1)), one_hot, rest], 1)
        return torch.cat([binary(mask.flatten(1)), torch.ones_like(one_hot), rest], 1), known

    def label(self, label: Tensor, noise: Tensor) -> Tensor:
        return any_label(label, noise, self.labels)

    def picture(self, probability: Tensor) -> Tensor:
        """The pixels [rows, channels, height, width] of the units' probabilities."""
        channels, height, width = self.image
        return probability[:, : channels * height * width].reshape(-1, channels, height, width)


def binary(values: Tensor) -> Tensor:
    """1 where the value is at least a half, else 0."""
    return (values >= 0.5).to(torch.float32)


def nearest(uniform: Tensor, probability: Tensor, free: Tensor) -> Tensor:
    """[rows]: smallest |uniform - probability| over units with `free` true; all [rows, units]."""
    return torch.where(free, (uniform - probability).abs(), 1.0).amin(1)


def sweep_graph(module: Clamped, margin: Margin, walk: Walk) -> StepGraph:
    """The one graph of an energy-based family."""
    noise = Noise(distribution="uniform", stream=LATENT_STREAM)
    return StepGraph(
        module=module,
        inputs={
            "units": GraphInput(dtype="float32", shape=(walk.units,), role="state"),
            "unit_noise": GraphInput(dtype="float32", shape=(walk.draws,), role="noise", noise=noise),
            "label_noise": GraphInput(dtype="float32", role="state"),
            "label": label_input(),
            "temperature": GraphInput(dtype="float32", role="schedule"),
            "image": GraphInput(dtype="float32", shape=walk.image, role="input"),
            "mask": GraphInput(dtype="float32", shape=walk.image, role="input"),
        },
        outputs={
            "next_units": GraphOutput(dtype="float32", shape=(walk.units,), role="state"),
            "probability": GraphOutput(dtype="float32", shape=walk.image, role="output"),
            "made_label": label_output(),
            "ok": ok_output(),
        },
        ranges={
            "units": (0.0, 1.0),
            "label_noise": (0.0, 1.0),
            "label": (-1, walk.labels - 1),
            "temperature": (0.7, walk.start),
            "image": (0.0, 1.0),
            "mask": (0.0, 1.0),
        },
        margin=margin,
    )


def annealed(
    family: Family,
    description: str,
    graph: StepGraph,
    walk: Walk,
    examples: Examples | None,
    score: Clamped | None,
) -> ExportSpec:
    """Operations, schedule and golden requests of a machine whose one sweep is `graph`.

    Args:
        score: image and label to an energy, and ok, where the machine has one that can be computed; its attribute
            ``text`` says what it is.
    """
    classes = max(1, walk.labels)  # a machine without label units is of one class
    first = examples_or_drawn(examples, walk.image, classes)
    graphs, offered, requests = (
        {"sweep": graph},
        {"generate": generate(walk), "complete": complete(walk)},
        golden(walk, first),
    )
    if score is not None:
        graphs["score"], offered["score"] = score_graph(score, walk), scoring(walk, str(score.text))
        requests += (
            Request("score_first", "score", 0, 0, {"label": int(first.labels[0])}, {"image": first.images[0]}),
        )
    spec = ExportSpec(
        family=family,
        domain="discrete",
        description=description,
        graphs=graphs,
        operations=offered,
        schedule=Schedule(kind="annealing", numbers={"start": walk.start, "hold": walk.hold}),
        sample=Sample(range=(0.0, 1.0)),
        golden=requests,
        preview=sheet(classes),
        preview_columns=classes,
    )
    return spec if walk.labels else without_labels(spec)


def score_graph(module: nn.Module, walk: Walk) -> StepGraph:
    """``score``."""
    return StepGraph(
        module=module,
        inputs={"image": GraphInput(dtype="float32", shape=walk.image, role="input"), "label": label_input()},
        outputs={"energy": GraphOutput(dtype="float32", role="output"), "ok": ok_output()},
        ranges={"image": (0.0, 1.0), "label": (0, max(1, walk.labels) - 1)},
    )


def scoring(walk: Walk, text: str) -> Operation:
    """What one picture's energy is good for: to be compared with another's."""
    return Operation(
        description="Energy of a picture: the lower, the likelier; only differences mean something.",
        inputs={"image": picture(walk, "the picture; a pixel of at least 0.5 is a unit that is 1")},
        params={"label": true_label_param(walk.labels)},
        stages=(Stage(graph="score"),),
        outputs={"energy": Output(dtype="float32", kind="scalar", description=text)},
    )


def picture(walk: Walk, text: str) -> Input:
    return Input(kind="image", dtype="float32", shape=walk.image, minimum=0.0, maximum=1.0, description=text)


def generate(walk: Walk) -> Operation:
    return Operation(
        description=f"Anneal from noise{' with the units of the label clamped' * bool(walk.labels)}.",
        params=params(walk),
        state=states(walk),
        stages=(Stage(graph="sweep", repeat="schedule", bind=CARRIED | {"image": 0.0, "mask": 0.0}),),
        outputs=outputs(walk),
    )


def complete(walk: Walk) -> Operation:
    given = "the picture; a pixel of at least 0.5 is a unit that is 1"
    kept = "where at least 0.5, the picture's pixel is kept; elsewhere it is drawn"
    return Operation(
        description="Anneal the units of the pixels that are not given.",
        inputs={
            "image": picture(walk, given),
            "mask": picture(walk, kept),
        },
        params=params(walk),
        state=states(walk),
        stages=(Stage(graph="sweep", repeat="schedule", bind=CARRIED),),
        outputs=outputs(walk),
    )


def params(walk: Walk) -> dict[str, Param]:
    return {
        "label": label_param(walk.labels),
        "steps": Param(
            type="int",
            default=walk.steps,
            minimum=1,
            maximum=1000,
            unit="sweeps",
            description="length of the annealed walk",
        ),
        "temperature": Param(
            type="float",
            default=1.0,
            minimum=0.1,
            maximum=5.0,
            description="at which the walk ends; 1 is the machine's own distribution",
        ),
    }


def states(walk: Walk) -> dict[str, State]:
    noise = Noise(distribution="uniform", stream=EXTRA_STREAM)
    return {
        "units": State(dtype="float32", shape=(walk.units,), init="noise", noise=noise),
        "label_noise": State(dtype="float32", init="noise", noise=label_noise()),
    }


def outputs(walk: Walk) -> dict[str, Output]:
    text = "probability of each pixel's unit being 1 in the last sweep"
    return {
        "image": Output(dtype="float32", shape=walk.image, kind="image", value="probability", description=text),
        "label": made_label(),
    }


def golden(walk: Walk, examples: Examples) -> tuple[Request, ...]:
    image, label = examples.images[0], int(examples.labels[0])
    upper, left = torch.zeros(walk.image), torch.zeros(walk.image)
    upper[:, : walk.image[1] // 2] = 1.0
    left[:, :, : walk.image[2] // 2] = 1.0
    return (
        Request("generate_label", "generate", 1, 0, {**SHORT, "label": walk.labels - 1}),
        Request("generate_any", "generate", 2, 3, {**SHORT, "temperature": 0.9}),
        Request("complete_upper", "complete", 3, 0, {**SHORT, "label": label}, {"image": image, "mask": upper.numpy()}),
        Request("complete_left", "complete", 4, 1, {**SHORT, "label": label}, {"image": image, "mask": left.numpy()}),
    )
