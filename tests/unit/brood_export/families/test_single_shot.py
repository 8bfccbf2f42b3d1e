"""The families that make a sample in one call: GAN, VAE, flow."""

import math

import pytest
import torch

from brood.program import compile_program
from brood_export.errors import Misfit
from brood_export.families.flow import Score
from brood_export.families.flow import flow as flow_family
from brood_export.families.gan import Generate
from brood_export.families.vae import Decode
from brood_export.families.vae import vae as vae_family
from helpers.tiny_models import (
    CLASSES,
    IMAGE,
    LATENT,
    PIXELS,
    TinyGan,
    TinyVae,
    examples,
    tiny_manifest,
    tiny_model,
    tiny_spec,
)

pytestmark = pytest.mark.export


@torch.no_grad()
def test_truncation_draws_the_latent_to_its_mean() -> None:
    graph = tiny_spec("gan").graphs["generate"].module
    latent, label, noise = torch.randn(3, LATENT), torch.tensor([0, 1, 1]), torch.full((3,), 0.5)
    image, _, _ = graph(latent, noise, label, torch.tensor([1.0, 0.0, 0.5]))
    model = tiny_model("gan")
    torch.testing.assert_close(image[0], model(latent[:1], label[:1])[0])
    torch.testing.assert_close(image[1], model(torch.zeros(1, LATENT), label[1:2])[0])
    torch.testing.assert_close(image[2], model(0.5 * latent[2:], label[2:])[0])


class Broken(TinyGan):
    """A generator whose picture is not finite for class 1, and bright for class 2."""

    def forward(self, z: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        image = super().forward(z, label) + 5.0 * (label == 2)[:, None, None, None]
        return torch.where((label == 1)[:, None, None, None], torch.nan, image)


def test_ok_is_about_the_network_before_the_clamp() -> None:
    one = torch.ones(3)
    image, _, ok = Generate(Broken(), CLASSES, (0.0, 1.0))(torch.randn(3, LATENT), 0.5 * one, torch.arange(3), one)
    assert ok.tolist() == [True, False, True]
    assert image[2].max() == 1.0


@torch.no_grad()
def test_decoder_scales_its_latent_by_the_temperature() -> None:
    graph = tiny_spec("vae").graphs["decode"].module
    latent, label, one = torch.randn(2, LATENT), torch.tensor([0, 2]), torch.ones(2)
    image, made, _ = graph(latent, one, 0.5 * one, label, torch.tensor([1.0, 0.25]))
    model = tiny_model("vae")
    assert isinstance(model, TinyVae)
    torch.testing.assert_close(image[1:], model.decode(0.25 * latent[1:], label[1:]))
    assert made.tolist() == [0, 2]


class WithPrior(TinyVae):
    """A VAE whose latents lie elsewhere than its noise."""

    def from_noise(self, noise: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        return 2.0 * noise + label[:, None]


@torch.no_grad()
def test_noise_passes_the_model_s_own_prior_and_given_latents_do_not() -> None:
    model = WithPrior()
    latent, label, one = torch.randn(2, LATENT), torch.tensor([1, 2]), torch.ones(2)
    image, _, _ = Decode(model, CLASSES, (0.0, 1.0))(latent, torch.tensor([1.0, 0.0]), one, label, 0.5 * one)
    torch.testing.assert_close(image[:1], model.decode(latent[:1] + 1.0, label[:1]))
    torch.testing.assert_close(image[1:], model.decode(latent[1:], label[1:]))


def test_reconstruct_hands_the_mean_to_the_decoder_through_a_state() -> None:
    program = compile_program(tiny_manifest(tiny_spec("vae")), "reconstruct")
    encode, decode = program.stages
    assert encode.to_state == (("mean", "latent"),)
    assert [feed.name for feed in decode.feeds] == ["latent", "sampled", "label_noise", "label", "temperature"]


def test_a_model_without_the_methods_is_refused_by_name() -> None:
    with pytest.raises(Misfit, match="TinyGan has no encode, decode"):
        vae_family(TinyGan(), image=IMAGE, classes=CLASSES, examples=examples())
    with pytest.raises(Misfit, match="TinyGan has no inverse"):
        flow_family(TinyGan(), image=IMAGE, classes=CLASSES, examples=examples())


@torch.no_grad()
def test_flow_score_is_the_log_likelihood_of_the_grey_levels() -> None:
    model, levels = tiny_model("flow"), 16
    image, u, label = torch.rand(2, *IMAGE), torch.rand(2, *IMAGE), torch.tensor([0, 2])
    nats, bits, ok = Score(model, levels)(image, u, label)
    v = (torch.floor(image * levels).clamp(max=levels - 1) + u) / levels
    spread = model.get_parameter("log_scale")[label].exp()
    z = (v.flatten(1) - model.get_parameter("shift")[label]) / spread
    density = -(0.5 * z.square() + 0.5 * math.log(2.0 * math.pi) + spread.log()).sum(1)
    torch.testing.assert_close(nats, density - PIXELS * math.log(levels))
    torch.testing.assert_close(bits, -nats / (PIXELS * math.log(2.0)))
    assert ok.all()


@torch.no_grad()
def test_white_is_the_last_grey_level() -> None:
    model = tiny_model("flow")
    u, label = torch.full((1, *IMAGE), 0.5), torch.tensor([0])
    white, almost = (Score(model, 16)(torch.full((1, *IMAGE), value), u, label)[0] for value in (1.0, 15.5 / 16))
    torch.testing.assert_close(white, almost)
