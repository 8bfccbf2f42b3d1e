"""Flow matching (Lipman et al. 2023) and rectified flows (Liu et al. 2023): a velocity along straight paths.

On the way x_σ = (1−σ)·x_0 + σ·noise a network tells dx/dσ; Euler's method follows it from σ = 1 to 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from brood.protocol.manifest import Schedule
from brood_export.families.base import (
    SHEET_ROWS,
    Examples,
    ExportSpec,
    Request,
    examples_or_drawn,
    sheet,
)
from brood_export.families.blend import blend_graph
from brood_export.families.denoiser import check_denoiser, graphs, space_of
from brood_export.families.denoiser_words import GOLDEN_STEPS, Defaults, golden, interpolate, only, operations
from brood_export.families.original import Denoiser, completed, first_noise, guidances, remaining, wanted_label
from brood_export.families.textbook import Floats
from brood_export.families.unlabelled import labels_optional

Direction = Literal["to_noise", "to_data"]
TIMESTEPS = 1000  # as what the schedule tells levels: t = σ·1000
SCATTERED = 200  # rows of a sheet whose samples are points


class Velocity(nn.Module):
    """dx/dσ = noise − x_0 at t = σ·TIMESTEPS, whichever way the model's own time runs."""

    def __init__(self, model: nn.Module, direction: Direction, time_scale: float) -> None:
        super().__init__()
        self.model, self.to_noise, self.time_scale = model, direction == "to_noise", time_scale

    def forward(self, x: Tensor, t: Tensor, label: Tensor) -> Tensor:
        sigma = t / TIMESTEPS
        told = sigma if self.to_noise else 1.0 - sigma
        velocity: Tensor = self.model(x, told * self.time_scale, label)
        return velocity if self.to_noise else -velocity


@dataclass(frozen=True, slots=True)
class Straight:
    """Whole runs as the papers make them, without a table."""

    denoiser: Denoiser  # only what it predicts, m = dx/dσ, is used
    shift: float

    def original(self, request: Request) -> Mapping[str, NDArray[np.generic]]:
        """The sample of a request that has all its parameters: every output, without the rows axis."""
        space, steps = self.denoiser.space, int(request.params["steps"])
        label = wanted_label(request, space.classes)
        kept = remaining(list(range(steps)), request)
        sigma = np.append(self.shifted(1.0 - np.array(kept) / steps), 0.0)
        guidance = guidances(len(kept), request)
        x = first_noise(request, space.shape)
        if "strength" in request.params:
            x = (1.0 - sigma[0]) * request.inputs[space.output].astype(np.float64) + sigma[0] * x
        for k, (level, to) in enumerate(pairwise(sigma)):
            velocity = self.denoiser.predicted(x, level * TIMESTEPS, label, guidance[k])
            x0 = completed((x - level * velocity).clip(*space.range), request)
            x = x + (to - level) * (x - x0) / level
        return {space.output: x.astype(np.float32), "label": np.asarray(label, np.int64)}

    def shifted(self, sigma: Floats) -> Floats:
        """Levels bent towards noise (Esser et al. 2024, equation 23)."""
        bent: Floats = self.shift * sigma / (1.0 + (self.shift - 1.0) * sigma)
        return bent


@labels_optional
def flow_matching(
    model: nn.Module,
    *,
    shape: tuple[int, ...],
    velocity: Direction,
    classes: int = 0,
    time_scale: float = 1.0,
    shift: float = 1.0,
    extent: float = 1.0,
    output: str = "",
    sample_rate_hz: int | None = None,
    fps: float | None = None,
    examples: Examples | None = None,
    steps: int = 20,
    guidance: float = 1.0,
) -> ExportSpec:
    """A network ``model(x [rows, *shape], t [rows] float32, label [rows] int64) -> velocity [rows, *shape]``.

    Without classes it is ``model(x, t)``.

    Args:
        model: in evaluation mode; the label `classes` means that none is given (classifier-free guidance).
        shape: of one sample: channels, height, width of a picture; else see sample_rate_hz; anything else is a tensor.
        velocity: to_noise: noise − x_0, and t is 0 at the data; to_data: x_0 − noise, and t is 0 at the noise.
        classes: labels are 0 … classes-1; 0: the model takes no label.
        time_scale: t at the other end; 1000 where the model is told timesteps.
        shift: of the noise levels; above 1 more steps are spent where there is more noise.
        extent: samples lie within ±extent; what the network says of x_0 is kept in there.
        output: what a sample is, in one word; image, audio, video or sample if nothing is said.
        sample_rate_hz, fps: one of them for sound [channels, samples] or video [frames, channels, height, width].
        examples: samples of the kind the model was trained on, for the golden samples; without, noise is used.
        steps, guidance: defaults of these parameters.

    Raises:
        Misfit: the model does not keep the shape.
    """
    space = space_of(shape, classes, extent, output, sample_rate_hz, fps)
    check_denoiser(model, "flow-matching", space)
    network = Velocity(model, velocity, time_scale)
    numbers = {"train_steps": float(TIMESTEPS), "clip": extent, "shift": shift}
    schedule = Schedule(kind="flow", numbers=numbers, words={"spacing": "trailing"})
    offered = operations(space, schedule, Defaults(steps, guidance))
    offered["interpolate"] = interpolate(space, offered["generate"])
    wished = golden(space, examples_or_drawn(examples, shape, classes, space.range), GOLDEN_STEPS)
    return ExportSpec(
        family="flow-matching",
        domain="continuous",
        description="Flow-matching model, followed by Euler's method, with classifier-free guidance.",
        graphs=graphs(network, space) | {"blend": blend_graph(space.shape)},
        operations=offered,
        schedule=schedule,
        sample=space.medium.sample,
        golden=only(wished, offered),
        preview=sheet(classes, SHEET_ROWS if space.shown else SCATTERED),
        preview_columns=classes,
        original=Straight(Denoiser(network, space, "v", np.empty(0)), shift).original,
    )
