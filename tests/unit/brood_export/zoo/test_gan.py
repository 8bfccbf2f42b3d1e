"""glyphs-gan: the generator's shapes and independence, the game, what was trained."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from brood_export.zoo import gan, training

pytestmark = pytest.mark.export


def generator() -> gan.GlyphsGan:
    with training.reproducible(1):
        return gan.build().eval()


def test_shapes_ranges_and_size() -> None:
    model = generator()
    image = model(torch.randn(3, gan.LATENT), torch.tensor([0, 5, 9])).detach()
    assert image.shape == (3, 1, 28, 28)
    assert 0.0 <= float(image.min()) < float(image.max()) <= 1.0
    assert training.parameters(model) <= 800_000


def test_rows_do_not_see_each_other_not_even_in_training_mode() -> None:
    model = generator().train()
    z, labels = torch.randn(4, gan.LATENT), torch.tensor([1, 1, 2, 3])
    together = model(z, labels)
    alone = torch.cat([model(z[i : i + 1], labels[i : i + 1]) for i in range(4)])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=0.0)
    assert not list(model.buffers())


def test_the_discriminator_learns_to_tell_noise_from_a_picture() -> None:
    recipe = dataclasses.replace(gan.RECIPE, steps=20, batch=16)
    with training.reproducible(0):
        game = gan.Game(recipe)
        real, labels = torch.zeros(16, 1, 28, 28), torch.arange(16) % 10
        margins = [float(game.step(step, real, labels)["margin"].detach()) for step in range(20)]
    assert margins[-1] > margins[0] + 0.5


def test_the_generators_update_leaves_the_discriminator_alone() -> None:
    with training.reproducible(0):
        game = gan.Game(gan.RECIPE)
        labels = torch.arange(8)
        before = [p.detach().clone() for p in game.discriminator.parameters()]
        game._teach_generator(torch.rand(8, 1, 28, 28), game.generator(torch.randn(8, gan.LATENT), labels), labels)
    assert all(torch.equal(a, b) for a, b in zip(before, game.discriminator.parameters(), strict=True))
    assert all(p.requires_grad for p in game.discriminator.parameters())


def test_a_short_training_repeats_itself() -> None:
    recipe = dataclasses.replace(gan.RECIPE, steps=4, batch=8, pictures=32)
    first, second = (gan.train(recipe, training.quiet) for _ in range(2))
    assert first.curves == second.curves
    for key, value in first.model.state_dict().items():
        assert torch.equal(value, second.model.state_dict()[key])


def test_the_shipped_generator_draws_readable_and_varied_digits() -> None:
    with training.reproducible(9):
        figures = gan.evaluate(training.load(gan.RECIPE.name))
    assert figures["sample_accuracy"] >= 0.95
    assert figures["class_coverage"] == 1.0
    assert 0.8 < figures["diversity"] < 1.2
