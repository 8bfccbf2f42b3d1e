"""glyphs-diffusion: shapes, what rows, times and labels do to each other, what was trained."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import nn

from brood_export.zoo import classifier, denoising, diffusion, training, unet
from brood_export.zoo.glyphs import glyphs

pytestmark = pytest.mark.export


def shaken() -> diffusion.GlyphsDiffusion:
    """An untrained model none of whose blocks is the identity."""
    with training.reproducible(1):
        model = diffusion.build().eval()
        for block in model.modules():
            if isinstance(block, unet.Block):
                nn.init.normal_(block.second.weight, 0.0, 0.1)
    return model


@pytest.mark.parametrize("rows", [1, 3])
def test_shapes_and_size(rows: int) -> None:
    model = shaken()
    v = model(torch.randn(rows, *diffusion.SHAPE), torch.full((rows,), 999.0), torch.full((rows,), diffusion.NULL))
    assert v.shape == (rows, *diffusion.SHAPE)
    assert v.dtype == torch.float32
    assert bool(v.isfinite().all())
    assert training.parameters(model) <= 650_000


def test_rows_do_not_see_each_other() -> None:
    model = shaken().train()
    x, t, labels = torch.randn(5, *diffusion.SHAPE), torch.tensor([0.0, 1.0, 500.0, 998.0, 999.0]), torch.arange(5) * 2
    together = model(x, t, labels)
    alone = torch.cat([model(x[i : i + 1], t[i : i + 1], labels[i : i + 1]) for i in range(5)])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=0.0)
    assert list(model.state_dict()) == [name for name, _ in model.named_parameters()]


def test_time_and_every_label_matter_and_the_null_label_is_one_of_its_own() -> None:
    model, x = shaken().requires_grad_(False), torch.randn(1, *diffusion.SHAPE)
    said = model(x.expand(11, -1, -1, -1), torch.full((11,), 300.0), torch.arange(11)).flatten(1)
    later = model(x, torch.tensor([301.0]), torch.tensor([diffusion.NULL])).flatten(1)
    assert float(torch.cdist(said, said).add(torch.eye(11)).min()) > 1e-3
    assert float((said[diffusion.NULL] - later[0]).norm()) > 1e-3


def test_a_short_training_lowers_the_loss_and_repeats_itself() -> None:
    recipe = dataclasses.replace(diffusion.RECIPE, steps=12, batch=16, pictures=64)
    first, second = (diffusion.train(recipe, training.quiet) for _ in range(2))
    assert first.curves["loss"][-1] < first.curves["loss"][0]
    assert first.curves == second.curves
    for key, value in first.model.state_dict().items():
        assert torch.equal(value, second.model.state_dict()[key])


def test_the_shipped_denoiser_draws_readable_digits_in_few_steps() -> None:
    model, labels = training.load(diffusion.RECIPE.name), classifier.balanced(100)
    with training.reproducible(9):
        for steps in (4, 20):
            figures = classifier.verdict(diffusion.draw(model, labels, steps, diffusion.GUIDANCE), labels)
            assert figures["sample_accuracy"] >= 0.97
            assert figures["class_coverage"] == 1.0
            assert figures["diversity"] > 0.6


def test_the_null_label_draws_digits_of_all_classes() -> None:
    model = training.load(diffusion.RECIPE.name)
    with training.reproducible(9), torch.no_grad():
        drawn = diffusion.draw(model, torch.full((100,), diffusion.NULL), 10, 1.0)
        chances = classifier.trained()(drawn).softmax(1)
    counts = torch.bincount(chances.argmax(1), minlength=10)
    assert int(counts.min()) >= 1
    assert float(chances.max(1).values.median()) > 0.9


def test_the_label_helps_to_denoise() -> None:
    model = training.load(diffusion.RECIPE.name)
    images, labels = (torch.from_numpy(part) for part in glyphs("heldout", 100, seed=5, cache_dir=None))
    t = torch.full((100,), 700.0)
    share = denoising.cosine_shares()[700].float()
    with training.reproducible(9), torch.no_grad():
        x0, noise = 2.0 * images - 1.0, torch.randn(100, *diffusion.SHAPE)
        x, v = share.sqrt() * x0 + (1.0 - share).sqrt() * noise, share.sqrt() * noise - (1.0 - share).sqrt() * x0
        right, wrong, null = (
            float((model(x, t, said) - v).square().mean())
            for said in (labels, (labels + 5) % 10, torch.full((100,), diffusion.NULL))
        )
    assert right < null < wrong
