"""Pipelines of the shape of Stable Diffusion: tiny random ones, made here; the bundle draws what diffusers draws."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx2
import numpy as np
import pytest
import torch

from brood.access.gate import open_gate
from brood.dataplane import DataPlane, Limits
from brood.dataplane.local import LocalModel
from brood.frontends.http.app import HttpOptions, build_app
from brood.host.host import Host, HostOptions
from brood.protocol.errors import InvalidArgument
from brood.protocol.manifest import Manifest
from brood.sampling.noise import noise
from brood.store.store import read_bundle
from brood_export.errors import Misfit
from brood_export.families.base import LATENT_STREAM
from brood_export.latent_pipelines import check_parts, schedule_of, shapes
from brood_export.pipelines import import_pipeline, read_scheduler
from helpers.ends import Ends
from helpers.pipelines import IMAGE, LATENT, LENGTH, ddim, library, stable_pipeline
from helpers.quiet import Quiet

pytestmark = [
    pytest.mark.export,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning"),
]
SEED, STEPS = 5, 6
PARTS = {
    "text_encoder": "CLIPTextModel",
    "tokenizer": "CLIPTokenizer",
    "unet": "UNet2DConditionModel",
    "vae": "AutoencoderKL",
    "scheduler": "DDIMScheduler",
}


@dataclass(frozen=True)
class Made:
    """A pipeline and its bundle."""

    pipeline: Any
    store: Path
    table: str

    @property
    def manifest(self) -> Manifest:
        return read_bundle(self.store / "sd" / "1", allow_native=True).manifest

    def expected(self, prompt: str, negative: str, guidance: float, n: int = 2) -> np.ndarray:
        """What the pipeline itself makes, [n, 3, 16, 16] in ±1."""
        rows = [noise("normal", seed=SEED, stream=LATENT_STREAM, index=k, step=0, shape=LATENT) for k in range(n)]
        made = self.pipeline(
            prompt,
            negative_prompt=negative,
            guidance_scale=guidance,
            num_inference_steps=STEPS,
            num_images_per_prompt=n,
            latents=torch.from_numpy(np.stack(rows)),
            output_type="pt",
        )
        pictures: np.ndarray = made.images.numpy() * 2 - 1
        return pictures


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    root = tmp_path_factory.mktemp("sd")
    source, store = root / "pipe", root / "store"
    pipeline = stable_pipeline(source, ddim())
    made = import_pipeline(source, out=store, name="sd", runtime="torchscript", buckets=(1, 2))
    return Made(pipeline, store, made.table())


@pytest.fixture(scope="module")
def model(made: Made) -> Iterator[LocalModel]:
    # One thread: two that wait for each other on a busy machine take minutes.
    with LocalModel(HostOptions(models=made.store / "sd" / "1", threads=1, allow_native=True)) as model:
        yield model


@pytest.mark.parametrize(
    ("prompt", "negative", "guidance"), [("a cat", "", 1.0), ("a cat", "", 4.0), ("the dog", "cat", 7.5), ("", "", 2.0)]
)
def test_it_draws_what_diffusers_draws(
    made: Made, model: LocalModel, prompt: str, negative: str, guidance: float
) -> None:
    given: dict[str, Any] = {"negative_prompt": negative} if negative else {}
    found = model.generate(prompt=prompt, n=2, seed=SEED, steps=STEPS, guidance=guidance, **given)
    np.testing.assert_allclose(found.array, made.expected(prompt, negative, guidance), atol=1e-4)
    heads = 2  # both texts are read once, for all samples
    assert found.usage.steps == heads + 2 * (STEPS + 1)


def test_the_prompt_makes_a_difference(model: LocalModel) -> None:
    cat, dog = (model.generate(prompt=text, seed=SEED, steps=STEPS).array for text in ("cat", "dog"))
    assert np.abs(cat - dog).max() > 1e-3


def test_pictures_go_in_and_out(made: Made, model: LocalModel) -> None:
    picture = np.linspace(-1, 1, int(np.prod(IMAGE)), dtype=np.float32).reshape(IMAGE)
    latent = model.encode(image=picture).array
    with torch.no_grad():
        vae = made.pipeline.vae
        expected = vae.encode(torch.from_numpy(picture)[None]).latent_dist.mode() * vae.config.scaling_factor
        np.testing.assert_allclose(latent, expected.numpy(), atol=1e-4)
        decoded = vae.decode(expected / vae.config.scaling_factor).sample.clamp(-1, 1).numpy()
    np.testing.assert_allclose(model.decode(latent=latent[0]).array, decoded, atol=1e-4)
    near, far = (
        model.vary(prompt="cat", image=picture, seed=1, steps=10, strength=strength).array for strength in (0.1, 1.0)
    )
    assert np.abs(near - decoded).mean() < np.abs(far - decoded).mean()


async def test_it_is_served(made: Made) -> None:
    host = Host(HostOptions(models=made.store, threads=1, allow_native=True, cache_dir=None), Quiet())
    await host.start()
    assert [status.reason for status in host.models()] == [""]
    plane = DataPlane(host, Limits(), Ends())
    app = build_app(plane, HttpOptions(None, open_gate()))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://localhost") as client:
        body = {
            "model": "sd",
            "n": 2,
            "seed": SEED,
            "inputs": {"prompt": "the dog", "negative_prompt": "cat"},
            "params": {"steps": STEPS, "guidance": 7.5},
            "output": {"format": "raw"},
        }
        response = await client.post("/v1/generations", json=body)
        assert response.status_code == 200, response.text
        shown = [sample["outputs"]["image"]["b64"] for sample in response.json()["samples"]]
        found = np.stack([np.frombuffer(base64.b64decode(text), "<f4").reshape(IMAGE) for text in shown])
        np.testing.assert_allclose(found, made.expected("the dog", "cat", 7.5), atol=1e-4)
        words = {"model": "sd", "prompt": "a cat", "negative_prompt": "dog", "seed": SEED, "steps": STEPS}
        response = await client.post("/v1/images/generations", json=words)
        assert response.status_code == 200, response.text
        assert base64.b64decode(response.json()["data"][0]["b64_json"]).startswith(b"\x89PNG")
    plane.close()
    await host.stop()


def test_what_the_bundle_says(made: Made) -> None:
    generate = made.manifest.operations["generate"]
    assert set(made.manifest.operations) == {"generate", "vary", "encode", "decode"}
    assert [stage.repeat for stage in generate.stages] == ["per_request", "per_request", "schedule", "once"]
    assert generate.inputs["negative_prompt"].default == ""
    assert generate.inputs["prompt"].shape == (LENGTH,)
    assert generate.params["guidance"].default == 7.5
    assert "label" not in generate.params
    assert "tokenizer.json" in made.manifest.files
    assert "golden:vary" in made.table


def test_a_prompt_that_is_too_long_is_refused(model: LocalModel) -> None:
    with pytest.raises(InvalidArgument, match=rf"inputs\.prompt: text .*tokens.* allowed: at most {LENGTH} tokens"):
        model.generate(prompt="cat " * LENGTH, steps=STEPS)


SCHEDULERS = [
    ("DDIMScheduler", "ddim", {}),
    ("EulerDiscreteScheduler", "euler", {}),
    ("EulerDiscreteScheduler", "euler", {"timestep_spacing": "leading", "steps_offset": 1}),
    ("EulerAncestralDiscreteScheduler", "euler-ancestral", {}),
    ("DPMSolverMultistepScheduler", "dpmpp-2m", {}),
    ("DDPMScheduler", "ddpm", {"clip_sample": False}),
]


@pytest.mark.parametrize(("kind", "sampler", "words"), SCHEDULERS)
def test_tables_do_what_schedulers_do(tmp_path: Path, kind: str, sampler: str, words: dict[str, Any]) -> None:
    common = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012}
    base = ddim().config if kind == "DDIMScheduler" else common
    said = saved_schedule(tmp_path, kind, {**base, **words})
    assert said == (sampler, [])


def test_a_scheduler_that_a_table_does_not_say_is_replaced_with_a_note(tmp_path: Path) -> None:
    words = {"beta_schedule": "scaled_linear", "use_karras_sigmas": True}
    sampler, said = saved_schedule(tmp_path, "DPMSolverMultistepScheduler", words)
    assert sampler == "dpmpp-2m"
    assert len(said) == 1
    assert "DPMSolverMultistepScheduler with this configuration is off by" in said[0]
    sampler, said = saved_schedule(tmp_path, "PNDMScheduler", {"beta_schedule": "scaled_linear"})
    assert sampler == "dpmpp-2m"


def saved_schedule(folder: Path, kind: str, words: dict[str, Any]) -> tuple[str, list[str]]:
    """The sampler that a scheduler becomes, and what was said."""
    scheduler = getattr(library("diffusers"), kind)(**{key: words[key] for key in words if not key.startswith("_")})
    scheduler.save_pretrained(folder / "scheduler")
    levels, said = read_scheduler(folder, kind), list[str]()
    config = json.loads((folder / "scheduler" / "scheduler_config.json").read_text())
    schedule_of(kind, levels, config, said.append)
    return levels.options["sampler"], said


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"vae": "VQModel"}, "vae: VQModel is not allowed; allowed: AutoencoderKL"),
        ({"tokenizer": ""}, "tokenizer:  is not allowed; allowed: CLIPTokenizer"),
        ({"text_encoder_2": "CLIPTextModelWithProjection"}, "text_encoder_2: .* allowed: one text encoder"),
        ({"controlnet": "ControlNetModel"}, "controlnet: is not allowed; allowed: text_encoder, tokenizer, unet"),
    ],
)
def test_other_parts_are_refused(changes: dict[str, str], reason: str) -> None:
    with pytest.raises(Misfit, match=reason):
        check_parts(PARTS | changes, lambda _: None)


def test_a_safety_checker_is_left_out_with_a_note() -> None:
    said: list[str] = []
    check_parts(PARTS | {"safety_checker": "StableDiffusionSafetyChecker", "feature_extractor": "X"}, said.append)
    assert said == [
        "safety_checker StableDiffusionSafetyChecker is left out: no picture is looked at before it is sent"
    ]


def config(**changes: Any) -> SimpleNamespace:
    """Of a UNet."""
    return SimpleNamespace(**{"in_channels": 4, "out_channels": 4, "sample_size": 8} | changes)


VAE = SimpleNamespace(latent_channels=4, out_channels=3, block_out_channels=(8, 8, 8))


def test_sizes_follow_from_those_of_the_parts() -> None:
    assert shapes(config(), VAE) == ((4, 8, 8), (3, 32, 32))
    assert shapes(config(sample_size=[8, 6]), VAE) == ((4, 8, 6), (3, 32, 24))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"in_channels": 9}, "unet.in_channels: 9 is not allowed; allowed: 4, as the vae's latents have"),
        ({"sample_size": None}, "unet.sample_size: null; allowed: the size"),
        ({"num_class_embeds": 3}, "unet.num_class_embeds: 3 is not allowed; allowed: null"),
        ({"addition_embed_type": "text_time"}, "unet.addition_embed_type: 'text_time' is not allowed"),
    ],
)
def test_networks_that_do_not_go_together_are_refused(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(Misfit, match=re.escape(reason)):
        shapes(config(**changes), VAE)


def test_latents_are_kept_in_no_range(tmp_path: Path) -> None:
    with pytest.raises(Misfit, match=r"scheduler\.clip_sample: true is not allowed for latents"):
        saved_schedule(tmp_path, "DDIMScheduler", {"beta_schedule": "scaled_linear", "clip_sample": True})
