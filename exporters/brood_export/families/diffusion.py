"""Denoising diffusion models (Ho, Jain and Abbeel 2020), class-conditional, with classifier-free guidance.

A row's state is x and the x0 of the step before. Which sampler moves it, in how many steps and how strongly guided, is
a table of numbers made by the schedule; the sample is x after the last step.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from torch import nn

from brood.protocol.manifest import Sample, Schedule
from brood.sampling.betas import signal_levels
from brood.sampling.terms import Given
from brood_export.families.base import SHEET_ROWS, Examples, ExportSpec, Misfit, sheet
from brood_export.families.denoiser import Space, preview_graph, step_graph
from brood_export.families.denoiser_words import Defaults, golden, operations
from brood_export.families.original import Denoiser
from brood_export.families.textbook import Floats, Prediction

SPACING = "trailing"  # the only one whose first step is at the last noise level, where there is nothing but noise
LEVEL_TOLERANCE = 1e-9
SCATTERED = 200  # rows of a sheet whose samples are points


def diffusion(
    model: nn.Module,
    *,
    shape: tuple[int, ...],
    classes: int,
    prediction: Prediction,
    alphas_cumprod: Floats,
    betas: Literal["linear", "scaled_linear", "cosine"],
    beta_start: float = 1e-4,
    beta_end: float = 0.02,
    extent: float = 1.0,
    output: str = "image",
    examples: Examples,
    steps: int = 20,
    sampler: str = "dpmpp-2m",
    guidance: float = 1.0,
) -> ExportSpec:
    """A network ``model(x [rows, *shape], t [rows] float32, label [rows] int64) -> m [rows, *shape]``.

    Args:
        model: in evaluation mode; the label `classes` means that none is given.
        shape: of one sample: channels, height, width of a picture; anything else is a tensor.
        classes: labels are 0 … classes-1.
        prediction: what m is of x = α x_0 + σ ε: ε, v = α ε − σ x_0, or x_0.
        alphas_cumprod: [train_steps], ᾱ_t = α² of the training.
        betas, beta_start, beta_end: the same in words, as the schedule makes them.
        extent: samples lie within ±extent; what the network says of x_0 is kept in there.
        output: what a sample is, in one word.
        examples: samples of the kind the model was trained on, for the golden samples.
        steps, sampler, guidance: defaults of these parameters.

    Raises:
        Misfit: `betas` does not make `alphas_cumprod`.
    """
    space = Space(shape, classes, extent, output)
    denoiser = Denoiser(model, space, prediction, np.asarray(alphas_cumprod, np.float64))
    words = {"betas": betas, "prediction": prediction, "spacing": SPACING, "epsilon": "clipped"}
    numbers = {"train_steps": float(len(alphas_cumprod)), "clip": extent}
    if betas != "cosine":
        numbers |= {"beta_start": beta_start, "beta_end": beta_end}
    check_levels(denoiser, Given({}, numbers, words))
    schedule = Schedule(kind="diffusion", numbers=numbers, words=words)
    return ExportSpec(
        family="diffusion",
        domain="continuous",
        description="Denoising diffusion model, class-conditional, with classifier-free guidance.",
        graphs={
            "step": step_graph(model, space, guided=False),
            "step_guided": step_graph(model, space, guided=True),
            "preview": preview_graph(space),
        },
        operations=operations(space, schedule, Defaults(steps, sampler, guidance)),
        schedule=schedule,
        sample=Sample(range=space.range) if space.picture else None,
        golden=golden(space, examples),
        preview=sheet(classes, SHEET_ROWS if space.picture else SCATTERED),
        preview_columns=classes,
        original=denoiser.original,
    )


def check_levels(denoiser: Denoiser, given: Given) -> None:
    """Whether the schedule's words mean the noise levels of the training."""
    expected, found = denoiser.alphas_cumprod, signal_levels(given)
    off = np.abs(found - expected)
    if off.max() > LEVEL_TOLERANCE:
        t = int(off.argmax())
        raise Misfit(
            f"betas {given.words['betas']!r} make ᾱ = {found[t]:g} at timestep {t}, where alphas_cumprod has "
            f"{expected[t]:g}: family 'diffusion' needs noise levels that its schedule can make"
        )
