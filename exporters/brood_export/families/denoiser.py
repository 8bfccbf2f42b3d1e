"""The graphs of a denoising network: the universal linear solver row around it, in float32.

    m   = u + g·(c − u),  c, u = network(s·x, t, label), network(s·x, t, null label)
    x0  = clamp(p·x + q·m, lo, hi);   x0 = (1−mask)·x0 + mask·known
    x'  = a·x + b·x0 + c·x0_prev + d·m + e·noise

The twelve numbers come from a table (`brood.sampling.solver`), so rows of different samplers, at different steps, share
a call. ``step`` is for g = 1 and takes one network row; ``step_guided`` takes two.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from brood.protocol.manifest import GraphInput, GraphOutput, Noise
from brood_export.errors import Misfit
from brood_export.families.base import (
    STEP_STREAM,
    Range,
    StepGraph,
    any_label,
    called,
    finite,
    label_input,
    label_output,
    ok_output,
    tried,
)
from brood_export.families.medium import Medium, medium_of

SOLVER = 12  # numbers of a row: t s g p q a b c d e lo hi
# What they are checked with: as large as for data of unit range, and each independent of the others.
LOWEST = (0.0, 0.2, 0.0, -1.5, -1.5, -1.0, -1.0, -1.0, -1.0, 0.0, -1.5, 0.5)
HIGHEST = (999.0, 1.0, 4.0, 1.5, 1.5, 1.0, 1.0, 1.0, 1.0, 1.0, -0.5, 1.5)


@dataclass(frozen=True, slots=True)
class Space:
    """What a denoiser denoises."""

    shape: tuple[int, ...]  # of one row: channels, height, width of a picture; else any
    classes: int  # labels are 0 … classes-1; `classes` itself is the null label
    extent: float  # the data lie within ±extent
    output: str  # what a sample is, in one word
    medium: Medium  # what a sample is to people
    masked: bool = True  # what is known of x0 acts on the whole step, so that pictures can be completed

    @property
    def shown(self) -> bool:
        """Whether samples are pictures, sound or video."""
        return self.medium.sample is not None

    @property
    def completes(self) -> bool:
        return self.medium.kind == "image" and self.masked

    @property
    def range(self) -> Range:
        return -self.extent, self.extent


def space_of(
    shape: tuple[int, ...],
    classes: int,
    extent: float,
    output: str = "",
    sample_rate_hz: int | None = None,
    fps: float | None = None,
    *,
    masked: bool = True,
) -> Space:
    """The space of a family's options; a sample is called ``output``, or else as its medium is.

    Raises:
        Misfit: as `medium_of` raises.
    """
    medium = medium_of(shape, (-extent, extent), sample_rate_hz, fps)
    return Space(shape, classes, extent, output or medium.word, medium, masked)


def check_denoiser(model: nn.Module, family: str, space: Space) -> None:
    """Whether a network takes x, t and label, and gives a tensor like x.

    Raises:
        Misfit: it does not; says what it gives.
    """
    x, label = torch.zeros(2, *space.shape), torch.zeros(2, dtype=torch.int64)
    (found,) = tried(model, family, "forward", x, torch.ones(2), label)[:1]
    if found.shape != x.shape:
        more = "; of mean and variance only the mean is read" if found.shape[1:2] == (2 * space.shape[0],) else ""
        raise Misfit(f"{called(model)} gives {list(found.shape)} for x {list(x.shape)}; allowed: the same{more}")


class Solver(nn.Module):
    """Base of the steps: one solver row of every row."""

    def __init__(self, model: nn.Module, classes: int, *, guided: bool) -> None:
        super().__init__()
        self.model, self.classes, self.guided = model, classes, guided

    def solved(
        self,
        x: Tensor,
        x0_prev: Tensor,
        noise: Tensor,
        solver: Tensor,
        label: Tensor,
        given: tuple[Tensor, Tensor] | None = None,
    ) -> tuple[Tensor, ...]:
        """x' and x0 [rows, …], label and ok [rows]; `given` is what is known, and the mask of where it is."""
        # One split: were every number sliced on its own, each would be a node, and small networks are bound by nodes.
        numbers = torch.split(solver.reshape(-1, SOLVER, *[1] * (x.dim() - 2)), 1, 1)
        t, s, g, p, q, a, b, c, d, e, low, high = numbers
        m = self.predicted(s * x, t.reshape(-1), label, g)
        x0 = torch.minimum(torch.maximum(p * x + q * m, low), high)
        if given is not None:
            known, mask = given
            x0 = (1.0 - mask) * x0 + mask * known
        return a * x + b * x0 + c * x0_prev + d * m + e * noise, x0, label, finite(m)

    def predicted(self, x: Tensor, t: Tensor, label: Tensor, g: Tensor) -> Tensor:
        """The network's output [rows, …]; with guidance that of both labels of a row, from one call."""
        if not self.guided:
            plain: Tensor = self.model(x, t, label)
            return plain
        pair = self.pair(label)
        both: Tensor = self.model(torch.stack([x, x], 1).flatten(0, 1), torch.stack([t, t], 1).reshape(-1), pair)
        c, u = both.reshape(-1, 2, *x.shape[1:]).unbind(1)
        return u + g * (c - u)

    def pair(self, label: Tensor) -> Tensor:
        """Of every row its label and the null label: [2·rows]."""
        return torch.stack([label, torch.full_like(label, self.classes)], 1).reshape(-1)


class Step(Solver):
    """Everything is made."""

    def forward(
        self, x: Tensor, x0: Tensor, noise: Tensor, solver: Tensor, label_noise: Tensor, label: Tensor
    ) -> tuple[Tensor, ...]:
        return self.solved(x, x0, noise, solver, any_label(label, label_noise, self.classes))


class CompletingStep(Solver):
    """What is `known` is kept where `mask` is 1; a mask of zeros keeps nothing."""

    def forward(
        self,
        x: Tensor,
        x0: Tensor,
        noise: Tensor,
        solver: Tensor,
        label_noise: Tensor,
        label: Tensor,
        known: Tensor,
        mask: Tensor,
    ) -> tuple[Tensor, ...]:
        return self.solved(x, x0, noise, solver, any_label(label, label_noise, self.classes), (known, mask))


class Preview(nn.Module):
    """What an unfinished row is going to be, as far as the network knows: its x0, within the range of the output."""

    def __init__(self, extent: float) -> None:
        super().__init__()
        self.extent = extent

    def forward(self, x0: Tensor) -> tuple[Tensor, ...]:
        return x0.clamp(-self.extent, self.extent), finite(x0)


def graphs(model: nn.Module, space: Space) -> dict[str, StepGraph]:
    """All that a denoiser needs which can be guided."""
    return {
        "step": step_graph(model, space, guided=False),
        "step_guided": step_graph(model, space, guided=True),
        "preview": preview_graph(space),
    }


def step_graph(model: nn.Module, space: Space, *, guided: bool) -> StepGraph:
    """``step``, or ``step_guided``; pictures can be completed."""
    values = {"dtype": "float32", "shape": space.shape}
    made = GraphOutput.model_validate(values | {"role": "state"})
    state = GraphInput.model_validate(values | {"role": "state"})
    given = GraphInput.model_validate(values | {"role": "input"})
    completes = {"known": given, "mask": given} if space.completes else {}
    noise = Noise(distribution="normal", stream=STEP_STREAM, scale="noise")
    kind = CompletingStep if space.completes else Step
    return StepGraph(
        module=kind(model, space.classes, guided=guided),
        inputs={
            "x": state,
            "x0": state,
            "noise": GraphInput(dtype="float32", shape=space.shape, role="noise", noise=noise),
            "solver": GraphInput(dtype="float32", shape=(SOLVER,), role="schedule"),
            "label_noise": GraphInput(dtype="float32", role="state"),
            "label": label_input(),
            **completes,
        },
        outputs={"next_x": made, "next_x0": made, "made_label": label_output(), "ok": ok_output()},
        ranges={
            "x": (-3.0, 3.0),
            "x0": space.range,
            "solver": (LOWEST, HIGHEST),
            "label_noise": (0.0, 1.0),
            "label": (-1, space.classes - 1),
            "known": space.range,
            "mask": (0.0, 1.0),
        },
    )


def preview_graph(space: Space) -> StepGraph:
    """``preview``."""
    return StepGraph(
        module=Preview(space.extent),
        inputs={"x0": GraphInput(dtype="float32", shape=space.shape, role="state")},
        outputs={space.output: GraphOutput(dtype="float32", shape=space.shape, role="output"), "ok": ok_output()},
        ranges={"x0": space.range},
    )
