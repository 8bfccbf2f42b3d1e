"""Pipelines of the shape of Stable Diffusion: text encoder, tokenizer, UNet with cross attention, VAE, scheduler."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from brood.protocol.manifest import Schedule
from brood_export.api import check_words
from brood_export.bundle import Exported, Say, export_spec
from brood_export.errors import Misfit
from brood_export.evaluation import check_weights, in_evaluation
from brood_export.families.denoiser_words import Defaults
from brood_export.families.diffusion import noise_schedule
from brood_export.families.text_diffusion import text_diffusion
from brood_export.scheduler_tables import off_by
from brood_export.targets import TARGETS
from brood_export.text_parts import read_part, read_texts
from brood_export.words import Title, hash_weights

if TYPE_CHECKING:
    from brood_export.pipelines import Levels

PARTS = {
    "text_encoder": "CLIPTextModel",
    "tokenizer": "CLIPTokenizer",
    "unet": "UNet2DConditionModel",
    "vae": "AutoencoderKL",
}
# What is left out, and what that means.
IGNORED = {"safety_checker": "no picture is looked at before it is sent", "feature_extractor": ""}
REFUSED = ("image_encoder", "text_encoder_2", "tokenizer_2")
TABLE_TOLERANCE = 1e-4  # of a run on a linear denoiser
STEPS, GUIDANCE = 25, 7.5
# What a UNet may be told beside x, t and the prompt; none of it is here.
MORE = ("addition_embed_type", "class_embed_type", "num_class_embeds", "encoder_hid_dim", "time_cond_proj_dim")


class Unet(nn.Module):
    """A ``UNet2DConditionModel`` as a function of x, t and what was read of a text."""

    def __init__(self, unet: nn.Module) -> None:
        super().__init__()
        self.unet = unet

    def forward(self, x: Tensor, t: Tensor, context: Tensor) -> Tensor:
        predicted: Tensor = self.unet(x, t, context, return_dict=False)[0]
        return predicted


class Decoder(nn.Module):
    """The decoder of an ``AutoencoderKL``."""

    def __init__(self, vae: nn.Module) -> None:
        super().__init__()
        self.vae = vae

    def forward(self, latent: Tensor) -> Tensor:
        image: Tensor = self.vae.decode(latent, return_dict=False)[0]  # type: ignore[operator]
        return image


class Encoder(nn.Module):
    """The encoder of an ``AutoencoderKL``: the mean of the latent."""

    def __init__(self, vae: nn.Module) -> None:
        super().__init__()
        self.vae = vae

    def forward(self, image: Tensor) -> Tensor:
        moments: Tensor = self.vae._encode(image)  # type: ignore[operator]
        return moments.chunk(2, 1)[0]


def is_latent(parts: Mapping[str, str]) -> bool:
    """Whether a pipeline has parts of such a one."""
    return "vae" in parts and "text_encoder" in parts


def import_latent_pipeline(
    source: Path,
    parts: Mapping[str, str],
    levels: Levels,
    config: Mapping[str, Any],
    *,
    out: Path,
    title: Title,
    runtime: str,
    buckets: Sequence[int],
    replace: bool,
    say: Say,
) -> Exported:
    """Make a bundle of a pipeline's folder; see `brood_export.pipelines.import_pipeline`.

    Args:
        parts: of the pipeline, and their classes.
        levels: what its scheduler says.
        config: the scheduler's own words.
    """
    check_words("latent-diffusion", runtime, "fp32", title.name, title.version, buckets)
    check_parts(parts, say)
    schedule = schedule_of(parts["scheduler"], levels, config, say)
    unet, vae = read_part(source, "unet", parts), read_part(source, "vae", parts)
    latent, image = shapes(unet.config, vae.config)
    text = read_texts(source, parts)
    networks = Unet(unet), text.encoder, Decoder(vae), Encoder(vae)
    for module in networks:
        check_weights(module)
    with ExitStack() as stack:
        for module in networks:
            stack.enter_context(in_evaluation(module))
        spec = text_diffusion(
            networks[0],
            text,
            latent=latent,
            image=image,
            decoder=networks[2],
            encoder=networks[3],
            schedule=schedule,
            scale=float(vae.config.scaling_factor),
            shift=float(getattr(vae.config, "shift_factor", None) or 0.0),
            defaults=Defaults(min(STEPS, int(levels.options["train_steps"]) - 1), GUIDANCE, levels.options["sampler"]),
        )
        hashes = {"text_encoder_weights_sha256": hash_weights(text.encoder), "vae_weights_sha256": hash_weights(vae)}
        words = Title(title.name, title.version, title.description, title.license, provenance=hashes)
        target = TARGETS[runtime]
        return export_spec(spec, networks[0], target, words, out, buckets=buckets, replace=replace, say=say)


def check_parts(parts: Mapping[str, str], say: Say) -> None:
    """Whether these are the parts of such a pipeline; of others that are left out something is said.

    Raises:
        Misfit: one is missing or of another class, or there is one that would be needed.
    """
    for part, kind in PARTS.items():
        if parts.get(part, "").removesuffix("Fast") != kind:
            raise Misfit(f"{part}: {parts.get(part, 'missing')} is not allowed; allowed: {kind}")
    for part, kind in parts.items():
        if part in REFUSED:
            raise Misfit(f"{part}: {kind} is not allowed; allowed: one text encoder, CLIPTextModel")
        if note := IGNORED.get(part):
            say(f"{part} {kind} is left out: {note}")
    unknown = set(parts) - {*PARTS, *IGNORED, "scheduler"}
    if unknown:
        raise Misfit(f"{sorted(unknown)[0]}: is not allowed; allowed: {', '.join((*PARTS, 'scheduler', *IGNORED))}")


def shapes(unet: Any, vae: Any) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """Of one latent and of one picture: channels, height, width.

    Args:
        unet, vae: their configurations.

    Raises:
        Misfit: the two do not go together, or the UNet takes more than x, t and a text, or does not say its size.
    """
    for word in MORE:
        if getattr(unet, word, None) is not None:
            raise Misfit(f"unet.{word}: {getattr(unet, word)!r} is not allowed; allowed: null")
    size = unet.sample_size
    if size is None:
        raise Misfit("unet.sample_size: null; allowed: the size of the latents it was trained on")
    height, width = (size, size) if isinstance(size, int) else size
    channels, own = unet.in_channels, vae.latent_channels
    if not channels == unet.out_channels == own:
        raise Misfit(f"unet.in_channels: {channels} is not allowed; allowed: {own}, as the vae's latents have")
    factor = 2 ** (len(vae.block_out_channels) - 1)
    return (channels, int(height), int(width)), (vae.out_channels, int(height) * factor, int(width) * factor)


def schedule_of(kind: str, levels: Levels, config: Mapping[str, Any], say: Say) -> Schedule:
    """The scheduler in the words of the manifest, held against what it does itself.

    Raises:
        Misfit: it keeps latents within a range.
    """
    if config.get("clip_sample"):
        raise Misfit("scheduler.clip_sample: true is not allowed for latents; allowed: false")
    options = levels.options
    ends = float(options["beta_start"]), float(options["beta_end"])
    plain = noise_schedule(options["prediction"], options["betas"], int(options["train_steps"]), ends, None)
    numbers = {"steps_offset": float(config.get("steps_offset", 0))}
    numbers["set_alpha_to_one"] = float(config.get("set_alpha_to_one", True))
    words = {"leads": "stride", "spacing": str(config.get("timestep_spacing", plain.words["spacing"]))}
    found = Schedule(kind=plain.kind, numbers=plain.numbers | numbers, words=plain.words | words)
    off = off_by(kind, config, found, str(options["sampler"]))
    if off is not None and not off <= TABLE_TOLERANCE:
        say(f"{kind} with this configuration is off by {off:.2g} from {options['sampler']}, which is offered instead")
    return found
