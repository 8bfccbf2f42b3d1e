"""How each shipped generator becomes a bundle: family, options, and what its card says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from torch import nn

from brood.store.files import hash_file
from brood_export.bundle import Exported, Say, export_spec
from brood_export.families import FAMILIES, Examples, ExportSpec
from brood_export.targets import TARGETS
from brood_export.words import BUCKETS, Title
from brood_export.zoo import (
    autoregressive,
    boltzmann,
    denoising,
    diffusion,
    flow,
    flowmatch,
    gan,
    motion,
    motion_diffusion,
    pixelrnn,
    points,
    rbm,
    tones,
    training,
)
from brood_export.zoo.card import training_section
from brood_export.zoo.glyphs import CLASSES, glyphs

CREATED = datetime(2026, 11, 22, tzinfo=UTC)  # when the shipped checkpoints were made; the same input, the same bytes
PICTURE = (1, 28, 28)
MANY = (*BUCKETS, 48, 64, 96, 128)  # for networks that are bound by calls, not by arithmetic
EXAMPLES = 8  # held-out pictures


@dataclass(frozen=True, slots=True)
class Entry:
    """One generator of the zoo."""

    family: str
    description: str
    options: Callable[[], dict[str, object]]  # of the family's adapter
    buckets: tuple[int, ...] = BUCKETS  # row counts the graphs run at


def held_out(side: int) -> Examples:
    """The first held-out pictures of a size."""
    return Examples(*glyphs("heldout", EXAMPLES, side))


ENTRIES: Mapping[str, Entry] = {
    "glyphs-vae": Entry(
        "vae",
        "Digits 0-9 at 28x28 by a class-conditional variational autoencoder; encodes and reconstructs.",
        lambda: {"image": PICTURE, "classes": CLASSES, "examples": held_out(28)},
    ),
    "glyphs-gan": Entry(
        "gan",
        "Digits 0-9 at 28x28 by a class-conditional generative adversarial network, with truncation.",
        lambda: {"latent": gan.LATENT, "classes": CLASSES},
    ),
    "glyphs-flow": Entry(
        "flow",
        "Digits 0-9 at 28x28 by a class-conditional RealNVP; gives exact log-likelihoods.",
        lambda: {
            "image": PICTURE,
            "classes": CLASSES,
            "examples": held_out(28),
            "levels": flow.LEVELS,
            "temperature": flow.TEMPERATURE,
        },
    ),
    "glyphs-pixelrnn": Entry(
        "pixelrnn",
        "Digits 0-9 at 14x14 in 8 grey levels, drawn pixel by pixel by a two-dimensional LSTM; completes a prefix.",
        lambda: {"examples": held_out(pixelrnn.SIDE)},
    ),
    "glyphs-rbm": Entry(
        "rbm",
        "Digits 0-9 at 28x28 by a restricted Boltzmann machine, annealed block Gibbs sampling; completes a picture.",
        lambda: {
            "image": (1, rbm.SIDE, rbm.SIDE),
            "examples": held_out(rbm.SIDE),
            "steps": len(rbm.SCHEDULE),
            "start": rbm.SCHEDULE[0],
            "hold": share_held(rbm.SCHEDULE),
        },
    ),
    "glyphs-boltzmann": Entry(
        "boltzmann",
        "Digits 0-9 at 11x11 by a fully connected Boltzmann machine, annealed sequential sweeps; completes a picture.",
        lambda: {
            "image": (1, boltzmann.SIDE, boltzmann.SIDE),
            "examples": Examples(*boltzmann.pictures("heldout", EXAMPLES)),
            "steps": len(boltzmann.SCHEDULE),
            "start": boltzmann.SCHEDULE[0],
            "hold": share_held(boltzmann.SCHEDULE),
        },
    ),
    "glyphs-diffusion": Entry(
        "diffusion",
        "Digits 0-9 at 28x28 by a class-conditional denoising diffusion model; completes and varies a picture.",
        lambda: {
            "shape": diffusion.SHAPE,
            "classes": CLASSES,
            "prediction": "v",
            "alphas_cumprod": denoising.cosine_shares().numpy(),
            "betas": "cosine",
            "examples": signed(held_out(28)),
            "guidance": diffusion.GUIDANCE,
            "steps": diffusion.STEPS,
        },
    ),
    "glyphs-flowmatch": Entry(
        "flow-matching",
        "Digits 0-9 at 28x28 by class-conditional flow matching, with guidance; completes and varies a picture.",
        lambda: {
            "shape": flowmatch.SHAPE,
            "velocity": "to_noise",
            "time_scale": flowmatch.TIME_SCALE,
            "classes": CLASSES,
            "examples": signed(held_out(28)),
            "guidance": flowmatch.GUIDANCE,
            "steps": flowmatch.STEPS,
        },
    ),
    "glyphs-ar": Entry(
        "autoregressive",
        "Digits 0-9 at 14x14 in 8 grey levels, pixel by pixel by a causal transformer; completes a prefix.",
        lambda: {
            "length": autoregressive.LENGTH,
            "vocabulary": autoregressive.LEVELS,
            "start": autoregressive.START,
            "cache": autoregressive.CACHE,
            "image": (1, autoregressive.SIDE, autoregressive.SIDE),
            "classes": CLASSES,
        },
    ),
    "tones-vae": Entry(
        "vae",
        "Half a second of organ, brass, bell or string on 24 notes, at 16 kHz, by a variational autoencoder.",
        lambda: {
            "image": (1, tones.SAMPLES),
            "value_range": (-1.0, 1.0),
            "sample_rate_hz": tones.RATE,
            "classes": {"note": tones.NOTES, "timbre": len(tones.TIMBRES)},
            "examples": Examples(*tones.tones("heldout", EXAMPLES)),
        },
    ),
    "motion-diffusion": Entry(
        "diffusion",
        "Videos of moving digits 0-9, 8 frames of 20x20, by a class-conditional denoising diffusion model.",
        lambda: {
            "shape": motion_diffusion.SHAPE,
            "fps": motion.FPS,
            "classes": CLASSES,
            "prediction": "v",
            "alphas_cumprod": denoising.cosine_shares().numpy(),
            "betas": "cosine",
            "examples": signed(Examples(*motion.motion("heldout", EXAMPLES))),
            "guidance": motion_diffusion.GUIDANCE,
            "steps": motion_diffusion.STEPS,
        },
    ),
    "points-diffusion": Entry(
        "diffusion",
        "Points of the plane in four shapes by a class-conditional denoising diffusion model; a very small network.",
        lambda: {
            "shape": points.SHAPE,
            "classes": points.CLASSES,
            "prediction": "epsilon",
            "alphas_cumprod": denoising.linear_shares().numpy(),
            "betas": "linear",
            "extent": points.CLIP,
            "output": "point",
            "examples": Examples(*points.points("heldout", EXAMPLES)),
            "steps": points.STEPS,
        },
        MANY,
    ),
}


def signed(examples: Examples) -> Examples:
    """Pictures of 0…1 in the -1…1 of a denoiser."""
    return Examples(2.0 * examples.images - 1.0, examples.labels)


def share_held(schedule: list[float]) -> float:
    """The share of a walk's sweeps that are at its last temperature."""
    return schedule.count(schedule[-1]) / len(schedule)


def spec_of(name: str, model: nn.Module) -> ExportSpec:
    """The export spec of a zoo model.

    Raises:
        KeyError: naming the models there are.
    """
    if name not in ENTRIES:
        raise KeyError(f"no generator of the zoo is named {name!r}; there are {', '.join(ENTRIES)}")
    entry = ENTRIES[name]
    return FAMILIES[entry.family](model, **entry.options())


def export_zoo(
    name: str,
    out: Path,
    *,
    checkpoints: Path = training.CHECKPOINTS,
    runtime: str = "onnx",
    say: Say = lambda _: None,
) -> Exported:
    """Export a trained generator of the zoo from its checkpoint, in the place of an older export of it.

    Raises:
        KeyError: no such generator.
        FileNotFoundError: it has not been trained.
        ParityFailed: the export differs from the original; nothing is written.
    """
    if name not in ENTRIES:
        raise KeyError(f"no generator of the zoo is named {name!r}; there are {', '.join(ENTRIES)}")
    model, report = training.load(name, checkpoints), training.report(name, checkpoints)
    title = Title(
        name,
        description=ENTRIES[name].description,
        created=CREATED,
        provenance={
            "checkpoint_sha256": hash_file(checkpoints / f"{name}.safetensors"),
            "training_data": str(report["data"]),
        },
    )
    return export_spec(
        spec_of(name, model),
        model,
        TARGETS[runtime],
        title,
        out,
        training=training_section(report),
        buckets=ENTRIES[name].buckets,
        replace=True,
        say=say,
    )
