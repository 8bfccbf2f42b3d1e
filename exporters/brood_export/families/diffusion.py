"""Denoising diffusion models (Ho, Jain and Abbeel 2020), with classifier-free guidance.

A row's state is x and the x0 of the step before. Which sampler moves it, in how many steps and how strongly guided, is
a table of numbers made by the schedule; the sample is x after the last step.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from torch import nn

from brood.protocol.errors import BundleError
from brood.protocol.manifest import Schedule
from brood.sampling.betas import signal_levels
from brood.sampling.terms import Given
from brood_export.errors import Misfit
from brood_export.families.base import SHEET_ROWS, Examples, ExportSpec, examples_or_drawn, sheet
from brood_export.families.blend import blend_graph
from brood_export.families.denoiser import check_denoiser, graphs, space_of
from brood_export.families.denoiser_words import Defaults, golden, golden_steps, interpolate, operations
from brood_export.families.original import Denoiser
from brood_export.families.textbook import Floats, Prediction
from brood_export.families.unlabelled import labels_optional

Betas = Literal["linear", "scaled_linear", "cosine"]
SPACING = "trailing"  # the only one whose first step is at the last noise level, where there is nothing but noise
LEVEL_TOLERANCE = 1e-9
SCATTERED = 200  # rows of a sheet whose samples are points


@labels_optional
def diffusion(
    model: nn.Module,
    *,
    shape: tuple[int, ...],
    classes: int = 0,
    prediction: Prediction,
    betas: Betas,
    train_steps: int = 1000,
    alphas_cumprod: Floats | None = None,
    beta_start: float = 1e-4,
    beta_end: float = 0.02,
    extent: float = 1.0,
    output: str = "",
    sample_rate_hz: int | None = None,
    fps: float | None = None,
    examples: Examples | None = None,
    steps: int = 20,
    sampler: str = "dpmpp-2m",
    guidance: float = 1.0,
) -> ExportSpec:
    """A network ``model(x [rows, *shape], t [rows] float32, label [rows] int64) -> m [rows, *shape]``.

    Without classes it is ``model(x, t)``; t is a timestep, 0 … train_steps-1.

    Args:
        model: in evaluation mode; the label `classes` means that none is given (classifier-free guidance).
        shape: of one sample: channels, height, width of a picture; else see sample_rate_hz; anything else is a tensor.
        classes: labels are 0 … classes-1; 0: the model takes no label.
        prediction: what m is of x = α x_0 + σ ε: ε, v = α ε − σ x_0, or x_0.
        betas, beta_start, beta_end: the noise schedule of the training.
        train_steps: how many timesteps the training had.
        alphas_cumprod: [train_steps], ᾱ_t = α² of the training; the schedule is checked against it.
        extent: samples lie within ±extent; what the network says of x_0 is kept in there.
        output: what a sample is, in one word; image, audio, video or sample if nothing is said.
        sample_rate_hz, fps: one of them for sound [channels, samples] or video [frames, channels, height, width].
        examples: samples of the kind the model was trained on, for the golden samples; without, noise is used.
        steps, sampler, guidance: defaults of these parameters.

    Raises:
        Misfit: `betas` does not make `alphas_cumprod`, or the model does not keep the shape.
    """
    space = space_of(shape, classes, extent, output, sample_rate_hz, fps)
    check_denoiser(model, "diffusion", space)
    timesteps = train_steps if alphas_cumprod is None else len(alphas_cumprod)
    schedule = noise_schedule(prediction, betas, timesteps, (beta_start, beta_end), extent)
    offered = operations(space, schedule, Defaults(steps, guidance, sampler))
    offered["interpolate"] = interpolate(space, offered["generate"])
    return ExportSpec(
        family="diffusion",
        domain="continuous",
        description="Denoising diffusion model, with classifier-free guidance.",
        graphs=graphs(model, space) | {"blend": blend_graph(space.shape)},
        operations=offered,
        schedule=schedule,
        sample=space.medium.sample,
        golden=golden(space, examples_or_drawn(examples, shape, classes, space.range), golden_steps(timesteps)),
        preview=sheet(classes, SHEET_ROWS if space.shown else SCATTERED),
        preview_columns=classes,
        original=Denoiser(model, space, prediction, levels(schedule, alphas_cumprod)).original,
    )


def noise_schedule(
    prediction: Prediction, betas: Betas, timesteps: int, ends: tuple[float, float], clip: float | None
) -> Schedule:
    """The training's noise levels in the words of the manifest; with `clip`, x_0 is kept within ±clip."""
    words = {"betas": betas, "prediction": prediction, "spacing": SPACING}
    numbers = {"train_steps": float(timesteps)}
    if clip is not None:
        words, numbers = words | {"epsilon": "clipped"}, numbers | {"clip": clip}
    if betas != "cosine":
        numbers |= {"beta_start": ends[0], "beta_end": ends[1]}
    return Schedule(kind="diffusion", numbers=numbers, words=words)


def levels(schedule: Schedule, alphas_cumprod: Floats | None = None) -> Floats:
    """ᾱ of every timestep, as the schedule's words make it, held against that of the training where it is known."""
    given = Given({}, schedule.numbers, schedule.words)
    try:
        found = signal_levels(given)
    except BundleError as error:
        raise Misfit(f"family 'diffusion': {error.message}") from error
    if alphas_cumprod is None:
        return found
    expected = np.asarray(alphas_cumprod, np.float64)
    off = np.abs(found - expected)
    if off.max() > LEVEL_TOLERANCE:
        t = int(off.argmax())
        raise Misfit(
            f"betas {given.words['betas']!r} make ᾱ = {found[t]:g} at timestep {t}, where alphas_cumprod has "
            f"{expected[t]:g}: family 'diffusion' needs noise levels that its schedule can make"
        )
    return expected
