"""glyphs-ar: token by token it must be the same function as all at once, and see nothing that is yet to come."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from brood_export.families.pixelrnn import draw_level
from brood_export.families.tokens import shifted
from brood_export.zoo import autoregressive, classifier, training
from brood_export.zoo.autoregressive import CACHE, LENGTH, LEVELS, START, GlyphsAr

pytestmark = pytest.mark.export


@pytest.fixture
def model() -> GlyphsAr:
    with training.reproducible(2):
        found = autoregressive.build().eval().requires_grad_(False)
        for weight in found.parameters():
            weight.mul_(1.5)
    return found


def stepped(model: GlyphsAr, read: Tensor, label: Tensor, places: int) -> Tensor:
    """Logits [n, places, levels], one token after another; what lies behind the position in the cache is rubbish."""
    keys, values = torch.full((2, len(read), *CACHE), 7.0)
    found = []
    for k in range(places):
        logits, key, value = model.step(read[:, k], torch.full_like(label, k), keys, values, label)
        keys[..., k : k + 1, :], values[..., k : k + 1, :] = key, value
        found.append(logits)
    return torch.stack(found, 1)


def test_steps_tell_what_the_whole_sequence_tells(model: GlyphsAr) -> None:
    read, label = torch.randint(0, LEVELS, (3, 40)), torch.tensor([0, 4, 9])
    torch.testing.assert_close(stepped(model, read, label, 40), model(read, label), atol=1e-4, rtol=0.0)


def test_rows_of_one_batch_may_be_at_different_positions(model: GlyphsAr) -> None:
    read, label, position = torch.randint(0, LEVELS, (2, LENGTH)), torch.tensor([1, 2]), torch.tensor([3, 30])
    whole = model(read, label)
    keys, values = torch.zeros(2, 2, *CACHE)
    for row in range(2):
        for k in range(int(position[row])):
            said = read[row : row + 1, k], torch.tensor([k])
            _, key, value = model.step(*said, keys[row : row + 1], values[row : row + 1], label[row : row + 1])
            keys[row, ..., k : k + 1, :], values[row, ..., k : k + 1, :] = key[0], value[0]
    logits, _, _ = model.step(read[torch.arange(2), position], position, keys, values, label)
    torch.testing.assert_close(logits, whole[torch.arange(2), position], atol=1e-4, rtol=0.0)


def test_no_token_sees_a_later_one_and_every_earlier_one_is_seen(model: GlyphsAr) -> None:
    read, label = torch.randint(0, LEVELS, (1, 30)), torch.tensor([3])
    changed = read.clone()
    changed[0, 10] = (changed[0, 10] + 1) % LEVELS
    moved = (model(changed, label) - model(read, label)).abs().amax((0, 2))
    assert float(moved[:10].max()) == 0.0
    assert float(moved[10:].min()) > 0.0


def test_what_is_drawn_is_distributed_as_the_likelihood_says(model: GlyphsAr) -> None:
    label = torch.full((4000,), 5)
    chances = model(torch.full((1, 1), START), torch.tensor([5])).softmax(-1)[0, 0]
    with training.reproducible(3):
        uniform = torch.rand(4000, LENGTH)
    keys, values = torch.zeros(2, 1, *CACHE)
    logits, _, _ = model.step(torch.tensor([START]), torch.tensor([0]), keys, values, torch.tensor([5]))
    drawn = draw_level(logits.expand(4000, -1), torch.ones(4000), uniform[:, 0])
    counts = torch.bincount(drawn, minlength=LEVELS) / len(label)
    torch.testing.assert_close(counts, chances, atol=0.03, rtol=0.0)


def test_a_short_training_lowers_the_loss_and_repeats_itself() -> None:
    recipe = dataclasses.replace(autoregressive.RECIPE, steps=6, batch=8, pictures=32)
    first, second = (autoregressive.train(recipe, training.quiet) for _ in range(2))
    assert first.curves["loss"][-1] < first.curves["loss"][0]
    assert first.curves == second.curves
    for key, value in first.model.state_dict().items():
        assert torch.equal(value, second.model.state_dict()[key])


def test_the_shipped_model_draws_digits_that_can_be_read_and_likes_digits_better_than_others() -> None:
    model = training.load(autoregressive.RECIPE.name)
    assert isinstance(model, GlyphsAr)
    labels = classifier.balanced(60)
    with training.reproducible(9), torch.no_grad():
        levels = autoregressive.sample(model, labels, torch.rand(60, LENGTH))
        images = levels.view(-1, 1, autoregressive.SIDE, autoregressive.SIDE) / (LEVELS - 1)
        figures = classifier.verdict(autoregressive.enlarged(images), labels)
        assert figures["sample_accuracy"] >= 0.8
        read = shifted(levels, START)
        right, wrong = (
            float(functional.cross_entropy(model(read, said).flatten(0, 1), levels.flatten()))
            for said in (labels, (labels + 5) % 10)
        )
    assert right < wrong
