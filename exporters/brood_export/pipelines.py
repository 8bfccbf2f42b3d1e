"""diffusers pipelines from a local folder: the networks are exported, the scheduler becomes numbers.

A pipeline of a ``UNet2DModel`` (DDPM, DDIM and their like) is a diffusion model of pictures; one with text encoder and
VAE is `brood_export.latent_pipelines`'s. Of its scheduler the noise levels, the prediction and the clip are read and
checked against the scheduler's own; the sampler is the bundle's.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor, nn

from brood.sampling.betas import signal_levels
from brood.sampling.terms import Given
from brood_export.api import LICENSE, export
from brood_export.bundle import Exported, Say
from brood_export.errors import Misfit
from brood_export.latent_pipelines import import_latent_pipeline, is_latent
from brood_export.words import BUCKETS, Title

INDEX, SCHEDULER = "model_index.json", "scheduler/scheduler_config.json"
BETAS = {"linear": "linear", "scaled_linear": "scaled_linear", "squaredcos_cap_v2": "cosine"}
PREDICTIONS = {"epsilon": "epsilon", "v_prediction": "v", "sample": "x0"}
SAMPLERS = {
    "DDPMScheduler": "ddpm",
    "DDIMScheduler": "ddim",
    "EulerDiscreteScheduler": "euler",
    "EulerAncestralDiscreteScheduler": "euler-ancestral",
    "DPMSolverMultistepScheduler": "dpmpp-2m",
}
INSTEAD = "dpmpp-2m"  # of schedulers that a table cannot express
REFUSED = {
    "thresholding": "ddim holds predictions in a fixed range",
    "rescale_betas_zero_snr": "retrain or turn it off",
}
LEVEL_TOLERANCE = 1e-5  # diffusers computes its levels in float32


@dataclass(frozen=True, slots=True)
class Levels:
    """What a scheduler says, in the words of family ``diffusion``."""

    options: Mapping[str, Any]
    note: str  # to whom it may concern; empty if nothing was replaced


class Unet(nn.Module):
    """A ``UNet2DModel`` as a function of x and t."""

    def __init__(self, unet: nn.Module) -> None:
        super().__init__()
        self.unet = unet

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        predicted: Tensor = self.unet(x, t, return_dict=False)[0]
        return predicted


def import_pipeline(
    source: Path,
    *,
    out: Path,
    name: str,
    version: int = 1,
    runtime: str = "onnx",
    spdx: str = LICENSE,
    buckets: Sequence[int] = BUCKETS,
    replace: bool = False,
    say: Say = lambda _: None,
) -> Exported:
    """Make a bundle of a pipeline's folder.

    Args:
        source: with ``model_index.json``, as ``save_pretrained`` writes it; nothing is fetched, no code in it is run.
        out, name, version, runtime, spdx, buckets, replace, say: as of `brood_export.export`.

    Raises:
        Misfit: it is no such pipeline, or it does something that a table of numbers cannot say.
        ExportError: as of `brood_export.export`.
    """
    parts = read_index(source)
    latent = is_latent(parts)
    if not latent and (parts.get("unet") != "UNet2DModel" or set(parts) != {"unet", "scheduler"}):
        found = ", ".join(f"{part} {kind}" for part, kind in parts.items())
        allowed = "unet UNet2DModel and scheduler, and nothing else; or text_encoder and vae beside them"
        raise Misfit(f"{source.name}: has {found}; allowed: {allowed}")
    levels = read_scheduler(source, parts.get("scheduler", ""))
    if levels.note:
        say(levels.note)
    words: dict[str, Any] = {"out": out, "runtime": runtime, "buckets": buckets, "replace": replace, "say": say}
    if latent:
        config, title = read_words(source / SCHEDULER), Title(name, version, license=spdx)
        return import_latent_pipeline(source, parts, levels, config, title=title, **words)
    unet = read_unet(source)
    shape = (int(unet.config.in_channels), *unet_size(unet))
    about = f"Diffusion model, imported from a pipeline of {parts['scheduler']}."
    words |= {"name": name, "version": version, "description": about, "spdx": spdx, "shape": shape}
    return export(Unet(unet), family="diffusion", **words, **levels.options)


def read_index(source: Path) -> dict[str, str]:
    """The parts of a pipeline and their classes."""
    words = read_words(source / INDEX)
    return {
        part: str(kind[1])
        for part, kind in words.items()
        if not part.startswith("_") and isinstance(kind, list) and len(kind) == 2 and kind[1]
    }


def read_words(path: Path) -> dict[str, Any]:
    """A JSON object of a file.

    Raises:
        Misfit: there is no such file, or it holds something else.
    """
    try:
        words = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Misfit(
            f"{path.name}: cannot be read: {error}; allowed: a folder that save_pretrained has written"
        ) from error
    if not isinstance(words, dict):
        raise Misfit(f"{path.name}: is no JSON object")
    return words


def read_scheduler(source: Path, kind: str) -> Levels:
    """A scheduler in the words of family ``diffusion``.

    Raises:
        Misfit: it says something that those words cannot.
    """
    words = read_words(source / SCHEDULER)
    for key, instead in REFUSED.items():
        if words.get(key):
            raise Misfit(f"scheduler.{key}: true is not allowed; allowed: false; {instead}")
    for key, known in (("beta_schedule", BETAS), ("prediction_type", PREDICTIONS)):
        if words.get(key, next(iter(known))) not in known:
            raise Misfit(f"scheduler.{key}: {words[key]!r} is not allowed; allowed: {', '.join(known)}")
    if words.get("trained_betas") is not None:
        raise Misfit(f"scheduler.trained_betas: given; allowed: null, with beta_schedule {', '.join(BETAS)}")
    options = {
        "betas": BETAS[words.get("beta_schedule", "linear")],
        "prediction": PREDICTIONS[words.get("prediction_type", "epsilon")],
        "train_steps": int(words.get("num_train_timesteps", 1000)),
        "beta_start": float(words.get("beta_start", 1e-4)),
        "beta_end": float(words.get("beta_end", 0.02)),
        "extent": float(words.get("clip_sample_range", 1.0)),
        "sampler": SAMPLERS.get(kind, INSTEAD),
    }
    check_levels(kind, words, options)
    note = "" if kind in SAMPLERS else f"{kind} cannot be said by a table: {INSTEAD} on the same noise levels instead"
    return Levels(options, note)


def check_levels(kind: str, words: Mapping[str, Any], options: Mapping[str, Any]) -> None:
    """Whether our noise levels are those of diffusers' own scheduler.

    Raises:
        Misfit: they are not; says where.
    """
    diffusers: Any = importlib.import_module("diffusers")

    if not hasattr(diffusers, kind):
        raise Misfit(f"scheduler: {kind} is not known; known: {', '.join(SAMPLERS)}")
    scheduler = getattr(diffusers, kind).from_config(dict(words))
    if not hasattr(scheduler, "alphas_cumprod"):
        raise Misfit(f"scheduler: {kind} has no alphas_cumprod; allowed: schedulers of variance-preserving diffusion")
    numbers = {key: float(options[key]) for key in ("train_steps", "beta_start", "beta_end")}
    ours = signal_levels(Given({}, numbers, {"betas": options["betas"]}))
    theirs = scheduler.alphas_cumprod.double().numpy()
    if (off := float(np.abs(ours - theirs).max())) > LEVEL_TOLERANCE:
        raise Misfit(f"scheduler: its noise levels are off by {off:.3g} from those of betas {options['betas']!r}")


def read_unet(source: Path) -> Any:
    """The network; its weights from safetensors only."""
    diffusers: Any = importlib.import_module("diffusers")

    try:
        unet: Any = diffusers.UNet2DModel.from_pretrained(
            source / "unet", local_files_only=True, use_safetensors=True, low_cpu_mem_usage=False
        )
    except (OSError, ValueError) as error:
        raise Misfit(f"unet: {' '.join(str(error).split())[:300]}") from error
    if unet.config.num_class_embeds is not None or unet.config.class_embed_type is not None:
        raise Misfit("unet: takes classes; allowed: no num_class_embeds, or an export of your own with --classes")
    return unet.eval()


def unet_size(unet: Any) -> tuple[int, int]:
    """Height and width of what it was trained on."""
    size = unet.config.sample_size
    if size is None:
        raise Misfit("unet.sample_size: null; allowed: the size of the pictures it was trained on")
    return (size, size) if isinstance(size, int) else (int(size[0]), int(size[1]))
