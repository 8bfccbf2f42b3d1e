"""Energy-based models (LeCun et al. 2006, Du and Mordatch 2019): p(x) ∝ exp(−E(x)), sampled by Langevin dynamics.

    x' = x + α·score(x) + √(2α)·noise,   score = −∇E

The gradient is part of the graph (`gradient`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from brood.protocol.manifest import GraphInput, GraphOutput, Operation, Output, Schedule, Stage
from brood_export.errors import Misfit
from brood_export.families.base import (
    LATENT_STREAM,
    SHEET_ROWS,
    STEP_STREAM,
    Examples,
    ExportSpec,
    Request,
    StepGraph,
    called,
    examples_or_drawn,
    finite,
    label_input,
    ok_output,
    sheet,
    tried,
    true_label_param,
)
from brood_export.families.denoiser import Space, preview_graph, space_of, step_graph
from brood_export.families.denoiser_words import GOLDEN_STEPS, Defaults, given, golden, only, operations
from brood_export.families.gradient import Score, check_slope, traced_score
from brood_export.families.original import drawn, remaining, wanted_label
from brood_export.families.unlabelled import labels_optional

SCATTERED = 200  # rows of a sheet whose samples are points
GUIDED = ("guidance", "guidance_start", "guidance_stop")  # there is no energy without its label


class Energy(nn.Module):
    """Energy of a sample."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, sample: Tensor, label: Tensor) -> tuple[Tensor, ...]:
        energy = self.model(sample, label)
        return energy, finite(energy)


@dataclass(frozen=True, slots=True)
class Dynamics:
    """Whole walks as the paper writes them, without a table."""

    score: Score
    space: Space
    step: float

    def original(self, request: Request) -> Mapping[str, NDArray[np.generic]]:
        """The sample of a request that has all its parameters: every output, without the rows axis."""
        if request.operation == "score":
            return self.scored(request)
        space = self.space
        label = wanted_label(request, space.classes)
        walk = remaining(list(range(int(request.params["steps"]))), request)
        x = drawn("normal", request, LATENT_STREAM, 0, space.shape)
        if "strength" in request.params:
            x = request.inputs[space.output].astype(np.float64)
        for k in range(len(walk)):
            rows = torch.from_numpy(x[None]).float()
            slope = self.score(rows, rows, torch.full((1,), label))[0].double().numpy()
            x = (
                x
                + self.step * slope
                + math.sqrt(2.0 * self.step) * drawn("normal", request, STEP_STREAM, k, space.shape)
            )
        return {space.output: x.astype(np.float32), "label": np.asarray(label, np.int64)}

    def scored(self, request: Request) -> Mapping[str, NDArray[np.generic]]:
        given = torch.from_numpy(np.asarray(request.inputs[self.space.output])[None])
        with torch.no_grad():
            energy = self.score.model(given, torch.full((1,), int(request.params.get("label", 0))))
        return {"energy": energy[0].numpy()}


@labels_optional
def energy(
    model: nn.Module,
    *,
    shape: tuple[int, ...],
    step: float,
    classes: int = 0,
    extent: float = 1.0,
    output: str = "",
    sample_rate_hz: int | None = None,
    fps: float | None = None,
    examples: Examples | None = None,
    steps: int = 60,
) -> ExportSpec:
    """A network ``model(x [rows, *shape], label [rows] int64) -> energy [rows]``; low where samples are likely.

    Without classes it is ``model(x)``. Only for runtimes that can hold a gradient: not TorchScript.

    Args:
        model: in evaluation mode, differentiable.
        shape: of one sample: channels, height, width of a picture; else see sample_rate_hz; anything else is a tensor.
        step: α, the length of a Langevin step; the noise of a step has the standard deviation √(2α).
        classes: labels are 0 … classes-1; 0: the model takes no label.
        extent: samples lie within ±extent; the walk itself is not held in there.
        output: what a sample is, in one word; image, audio, video or sample if nothing is said.
        sample_rate_hz, fps: one of them for sound [channels, samples] or video [frames, channels, height, width].
        examples: samples of the kind the model was trained on, for the golden samples; without, noise is used.
        steps: default number of Langevin steps.

    Raises:
        Misfit: the model gives no energy of each row, or one that autograd cannot see.
    """
    space = space_of(shape, classes, extent, output, sample_rate_hz, fps, masked=False)
    (found,) = tried(model, "energy", "forward", torch.zeros(2, *shape), torch.zeros(2, dtype=torch.int64))
    if found.shape != (2,):
        raise Misfit(f"{called(model)} gives {list(found.shape)} for 2 rows; allowed: [2], an energy of each row")
    score = Score(model)
    check_slope(score, shape)
    schedule = Schedule(kind="langevin", numbers={"step": step, "clip": extent})
    offered = words(space, schedule, steps)
    first = examples_or_drawn(examples, shape, classes, space.range)
    wished = golden(space, first, GOLDEN_STEPS)
    scored = Request("score_first", "score", 0, 0, {"label": int(first.labels[0])}, {space.output: first.images[0]})
    graph, traced = (step_graph(each, space, guided=False) for each in (score, traced_score(score, shape)))
    return ExportSpec(
        family="energy",
        domain="continuous",
        description="Energy-based model, sampled by Langevin dynamics.",
        graphs={
            "step": replace(graph, exported=traced.module),
            "preview": preview_graph(space),
            "energy": energy_graph(model, space),
        },
        operations=offered,
        schedule=schedule,
        sample=space.medium.sample,
        golden=(*only(wished, offered), scored),
        preview=sheet(classes, SHEET_ROWS if space.shown else SCATTERED),
        preview_columns=classes,
        original=Dynamics(score, space, step).original,
    )


def energy_graph(model: nn.Module, space: Space) -> StepGraph:
    return StepGraph(
        module=Energy(model),
        inputs={
            "sample": GraphInput(dtype="float32", shape=space.shape, role="input"),
            "label": label_input(),
        },
        outputs={"energy": GraphOutput(dtype="float32", role="output"), "ok": ok_output()},
        ranges={"sample": space.range, "label": (0, space.classes - 1)},
    )


def words(space: Space, schedule: Schedule, steps: int) -> dict[str, Operation]:
    """generate and vary of a denoiser, without guidance and masks, which a walk has no place for; and score."""
    found = {}
    for name, operation in operations(space, schedule, Defaults(steps, 1.0)).items():
        params = {key: param for key, param in operation.params.items() if key not in GUIDED}
        plain = tuple(stage.model_copy(update={"variant": None}) for stage in operation.stages)
        text = TEXTS[name].format(output=space.output)
        found[name] = operation.model_copy(update={"description": text, "params": params, "stages": plain})
    found["score"] = Operation(
        description="Energy: the lower, the likelier; only differences between samples mean something.",
        inputs={space.output: given(space, "what is scored")},
        params={"label": true_label_param(space.classes)},
        stages=(Stage(graph="energy", bind={"sample": space.output}),),
        outputs={"energy": Output(dtype="float32", kind="scalar", description="E(x): -log p(x), up to a constant")},
    )
    return found


TEXTS = {
    "generate": "Walk from noise, down the energy, with noise in every step.",
    "vary": "Walk on from a given {output}.",
}
