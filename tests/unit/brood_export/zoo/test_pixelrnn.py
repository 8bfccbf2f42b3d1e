"""The pixel model: one cell at a time must be the same function as all cells at once."""

import math

import pytest
import torch
from torch import Tensor

from brood_export.zoo import classifier, pixelrnn, training
from brood_export.zoo.glyphs import glyphs
from brood_export.zoo.pixelrnn import GlyphsPixelRnn


@pytest.fixture
def small() -> GlyphsPixelRnn:
    """A random machine with large weights, so that every input matters."""
    torch.manual_seed(3)
    model = GlyphsPixelRnn(side=5, levels=4, hidden=12, labels=3)
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(2.0)
    return model.eval().requires_grad_(False)


def random_pictures(model: GlyphsPixelRnn, rows: int) -> tuple[Tensor, Tensor]:
    levels = torch.randint(0, model.levels, (rows, model.side, model.side))
    return levels, torch.randint(0, model.labels, (rows,))


def walk(model: GlyphsPixelRnn, levels: Tensor, label: Tensor, steps: int) -> tuple[Tensor, Tensor, Tensor]:
    """The last logits, h and c after `steps` teacher-forced pixels."""
    _, h, c = model.initial(len(levels))
    logits = torch.empty(0)
    for place in range(steps):
        logits, h, c = model.cell(levels.flatten(1), h, c, torch.full_like(label, place), label)
    return logits, h, c


def test_stepwise_logits_equal_the_parallel_ones(small: GlyphsPixelRnn) -> None:
    levels, label = random_pictures(small, 6)
    parallel = small.logits(levels, label).flatten(1, 2)
    for steps in range(1, 26):
        stepwise, _, _ = walk(small, levels, label, steps)
        torch.testing.assert_close(stepwise, parallel[:, steps - 1], atol=1e-5, rtol=0.0)


def test_shipped_stepwise_logits_equal_the_parallel_ones() -> None:
    model = load()
    images, label = (torch.from_numpy(part) for part in glyphs("heldout", 3, pixelrnn.SIDE, cache_dir=None))
    levels = pixelrnn.quantise(images)
    _, h, c = model.initial(3)
    with torch.no_grad():
        parallel = model.logits(levels, label).flatten(1, 2)
        for place in range(model.side**2):
            logits, h, c = model.cell(levels.flatten(1), h, c, torch.full((3,), place), label)
            torch.testing.assert_close(logits, parallel[:, place], atol=1e-5, rtol=0.0)


def test_rows_of_one_batch_may_be_at_different_positions(small: GlyphsPixelRnn) -> None:
    levels, label = random_pictures(small, 25)
    parallel = small.logits(levels, label).flatten(1, 2)
    position = torch.arange(25)
    before = [walk(small, levels[i : i + 1], label[i : i + 1], i) for i in range(25)]
    h, c = (torch.cat([state[part] for state in before]) for part in (1, 2))
    logits, _, _ = small.cell(levels.flatten(1), h, c, position, label)
    torch.testing.assert_close(logits, parallel[position, position], atol=1e-5, rtol=0.0)


@pytest.mark.parametrize("changed", range(25))
def test_a_pixel_reaches_every_later_pixel_and_no_other(small: GlyphsPixelRnn, changed: int) -> None:
    levels, label = random_pictures(small, 4)
    other = levels.flatten(1).clone()
    other[:, changed] = (other[:, changed] + 2) % small.levels
    change = (small.logits(other.view_as(levels), label) - small.logits(levels, label)).abs().amax((0, 3)).flatten()
    assert change[: changed + 1].max() == 0.0
    assert torch.all(change[changed + 1 :] > 0.0)


def test_later_values_of_the_canvas_are_not_read(small: GlyphsPixelRnn) -> None:
    levels, label = random_pictures(small, 4)
    _, h, c = walk(small, levels, label, 12)
    position = torch.full((4,), 12)
    logits, _, _ = small.cell(levels.flatten(1), h, c, position, label)
    erased = torch.where(torch.arange(25) < 12, levels.flatten(1), 0)
    again, _, _ = small.cell(erased, h, c, position, label)
    assert torch.equal(logits, again)


def test_the_label_changes_the_density(small: GlyphsPixelRnn) -> None:
    levels, _ = random_pictures(small, 1)
    first, second = (small.logits(levels, torch.tensor([label])) for label in (0, 1))
    assert (first - second).abs().max() > 1e-3


def test_wavefronts_visit_every_pixel_after_its_neighbours() -> None:
    waves, walk, back = pixelrnn.wavefronts(14)
    assert sum(count for _, count in waves) == 14 * 14
    assert [walk[place] for place in back] == list(range(14 * 14))
    wave_of = dict(zip(walk, (t for t, (_, count) in enumerate(waves) for _ in range(count)), strict=True))
    assert all(wave_of[row * 14 + column] == column + 2 * row for row in range(14) for column in range(14))


def test_quantise_rounds_to_the_nearest_level() -> None:
    grey = torch.tensor([0.0, 0.07, 0.08, 0.5, 1.0]).view(1, 1, 1, 5)
    assert pixelrnn.quantise(grey).flatten().tolist() == [0, 0, 1, 4, 7]


def test_a_sample_does_not_depend_on_its_neighbours(small: GlyphsPixelRnn) -> None:
    uniform, label = torch.rand(4, 25), torch.tensor([0, 1, 2, 0])
    together = pixelrnn.sample(small, label, 1.0, uniform)
    alone = [pixelrnn.sample(small, label[i : i + 1], 1.0, uniform[i : i + 1]) for i in range(4)]
    assert torch.equal(together, torch.cat(alone))


def test_samples_follow_the_model_s_own_density() -> None:
    """The frequency of each 2x2 picture of two levels against the product of its conditionals."""
    torch.manual_seed(5)
    model = GlyphsPixelRnn(side=2, levels=2, hidden=6, labels=2).requires_grad_(False)
    every = (torch.arange(16)[:, None] >> torch.arange(4)) & 1
    label = torch.ones(16, dtype=torch.int64)
    chosen = model.logits(every.view(16, 2, 2), label).log_softmax(-1).flatten(1, 2).gather(2, every[:, :, None])
    density = chosen.sum((1, 2)).exp()
    assert density.sum().item() == pytest.approx(1.0, abs=1e-5)
    drawn = pixelrnn.sample(model, torch.ones(20_000, dtype=torch.int64), 1.0, torch.rand(20_000, 4))
    seen = torch.bincount((drawn << torch.arange(4)).sum(1), minlength=16) / 20_000
    assert 0.5 * (seen - density).abs().sum() < 0.03


def test_training_lowers_the_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    few = glyphs("train", 64, pixelrnn.SIDE, cache_dir=None)
    monkeypatch.setattr(pixelrnn, "glyphs", lambda split, count, size: few)
    recipe = training.Recipe("test", 1, 40, 8, 2e-2, "", "")
    monkeypatch.setattr(pixelrnn, "build", lambda: GlyphsPixelRnn(hidden=8))
    trained = pixelrnn.train(recipe, training.quiet)
    losses = trained.curves["loss"]
    assert losses[-1] < 0.8 * losses[0]


def load() -> GlyphsPixelRnn:
    model = training.load(pixelrnn.RECIPE.name)
    assert isinstance(model, GlyphsPixelRnn)
    return model


@torch.no_grad()
def test_the_shipped_model_knows_held_out_pictures() -> None:
    images, labels = (torch.from_numpy(part) for part in glyphs("heldout", 200, pixelrnn.SIDE, cache_dir=None))
    nats = float(pixelrnn.nats_per_pixel(load(), pixelrnn.quantise(images), labels))
    assert 0.2 < nats < 0.38 < math.log(pixelrnn.LEVELS)


def test_a_person_would_read_the_shipped_model_s_samples() -> None:
    with training.reproducible(1):
        images = pixelrnn.samples(load(), 60)
    assert images.shape == (60, 1, 14, 14)
    enlarged = torch.nn.functional.interpolate(images, size=(28, 28), mode="bilinear")
    seen = classifier.trained()(enlarged).argmax(1)
    assert (seen == classifier.balanced(60)).float().mean() > 0.85
