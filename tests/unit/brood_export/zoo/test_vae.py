"""glyphs-vae: shapes, the bound's terms in closed form, the prior's two directions, what was trained."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch
from torch import Tensor, nn

from brood_export.zoo import classifier, training, vae

pytestmark = pytest.mark.export


def shaken() -> vae.GlyphsVae:
    """An untrained model whose couplings are not the identity."""
    with training.reproducible(1):
        model = vae.build().eval()
        for parameter in model.prior.parameters():
            nn.init.normal_(parameter, 0.0, 0.1)
    return model


def test_shapes_ranges_and_size() -> None:
    model, labels = shaken(), torch.tensor([3, 4, 5])
    mean, log_variance = model.encode(torch.rand(3, 1, 28, 28), labels)
    assert mean.shape == log_variance.shape == (3, vae.LATENT)
    image = model.decode(mean, labels).detach()
    assert image.shape == (3, 1, 28, 28)
    assert 0.0 <= float(image.min()) < float(image.max()) <= 1.0
    assert training.parameters(model) <= 600_000


def test_rows_do_not_see_each_other() -> None:
    model, labels = shaken(), torch.arange(5)
    noise = torch.randn(5, vae.LATENT)
    together = model(noise, labels)
    alone = torch.cat([model(noise[i : i + 1], labels[i : i + 1]) for i in range(5)])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=0.0)


def test_the_priors_directions_undo_each_other() -> None:
    model, labels = shaken(), torch.arange(8)
    noise = torch.randn(8, vae.LATENT)
    z = model.from_noise(noise, labels)
    for coupling in model.prior:
        z = coupling(z, labels)[0]
    torch.testing.assert_close(z, noise, atol=1e-5, rtol=1e-5)


def test_the_priors_density_is_the_noises_over_the_jacobian() -> None:
    model, label = shaken(), torch.tensor([7])
    noise = torch.randn(1, vae.LATENT)

    def latent(row: Tensor) -> Tensor:
        return model.from_noise(row[None], label)[0]

    jacobian = torch.func.jacrev(latent)(noise[0]).detach()
    normal = -0.5 * float(noise.square().sum()) - 0.5 * vae.LATENT * math.log(2.0 * math.pi)
    expected = normal - float(torch.linalg.slogdet(jacobian)[1])
    assert float(model.log_prior(latent(noise[0])[None], label).detach()) == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("scale", [0.01, 0.1, 1.0])
def test_the_grey_levels_probabilities_sum_to_one(scale: float) -> None:
    levels = (torch.arange(256) / 255.0).reshape(256, 1, 1, 1)
    mean, log_scale = torch.full_like(levels, 0.3), torch.full_like(levels, math.log(scale))
    total = vae.log_probability(levels, mean, log_scale).exp().sum()
    assert float(total) == pytest.approx(1.0, abs=1e-4)


def test_without_couplings_the_bound_has_the_gaussian_divergence() -> None:
    # An identity prior is standard normal: KL = 1/2 sum(mean^2 + variance - 1 - log variance).
    model = vae.build().eval()
    image, label = torch.rand(1, 1, 28, 28), torch.tensor([2])
    with torch.no_grad(), training.reproducible(0):
        mean, log_variance = model.encode(image, label)
        many = [vae.bound(model, image.expand(500, -1, -1, -1), label.expand(500))[1] for _ in range(4)]
    exact = 0.5 * (mean.square() + log_variance.exp() - 1.0 - log_variance).sum()
    assert float(torch.cat(many).mean()) == pytest.approx(float(exact), abs=0.15)


def test_a_short_training_raises_the_bound_and_repeats_itself() -> None:
    recipe = dataclasses.replace(vae.RECIPE, steps=12, batch=16, pictures=64)
    first, second = (vae.train(recipe, training.quiet) for _ in range(2))
    assert first.curves["elbo_nats"][-1] > first.curves["elbo_nats"][0]
    assert first.curves == second.curves
    for key, value in first.model.state_dict().items():
        assert torch.equal(value, second.model.state_dict()[key])


def test_the_shipped_model_draws_readable_digits_and_rebuilds_pictures() -> None:
    model = training.load(vae.RECIPE.name)
    with training.reproducible(9):
        figures = vae.evaluate(model)
        drawn = vae.samples(model, 200)
    assert figures["sample_accuracy"] >= 0.95
    assert figures["class_coverage"] == 1.0
    assert figures["diversity"] > 0.8
    assert figures["reconstruction_mse"] < 0.02
    assert figures["bits_per_dim"] == pytest.approx(-figures["elbo_nats"] / 784 / math.log(2.0))
    assert classifier.verdict(drawn, classifier.balanced(200))["sample_accuracy"] > 0.9
