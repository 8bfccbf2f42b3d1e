"""Shared training tools: reproducibility, batches, averages, curves, checkpoints."""

from __future__ import annotations

import pathlib

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from brood_export.zoo import classifier, training

RECIPE = training.Recipe("line", 3, 60, 8, 0.1, "a line", "points")


def fit_line(recipe: training.Recipe, progress: training.Progress = training.quiet) -> training.Trained:
    x = np.linspace(-1.0, 1.0, 64, dtype=np.float32)[:, None]
    with training.reproducible(recipe.seed):
        model = nn.Linear(1, 1)

        def loss(points: Tensor, labels: Tensor, step: int) -> dict[str, Tensor]:
            return {"loss": (model(points) - 2.0 * points).square().mean()}

        data = training.batches(x, np.zeros(64, np.int64), recipe.batch, recipe.steps, recipe.seed)
        return training.fit(model, loss, data, recipe, progress)


def test_the_same_recipe_gives_the_same_weights_and_a_falling_loss() -> None:
    first, second = fit_line(RECIPE), fit_line(RECIPE)
    for key, value in first.model.state_dict().items():
        assert torch.equal(value, second.model.state_dict()[key])
    assert first.curves["loss"][-1] < 0.5 * first.curves["loss"][0]


def test_progress_is_told_up_to_the_last_step() -> None:
    calls: list[tuple[int, int, training.Figures]] = []
    fit_line(RECIPE, lambda step, steps, figures: calls.append((step, steps, figures)))
    assert calls[-1][:2] == (60, 60)
    assert calls[-1][2]["loss"] >= 0.0


def test_reproducible_leaves_the_outer_generator_and_threads_alone() -> None:
    torch.manual_seed(1)
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    with training.reproducible(5):
        inside = torch.rand(3)
        assert torch.get_num_threads() == 1
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads
    with training.reproducible(5):
        assert torch.equal(torch.rand(3), inside)


def test_batches_show_every_row_once_a_pass() -> None:
    images = np.arange(12, dtype=np.float32).reshape(12, 1, 1, 1)
    drawn = list(training.batches(images, np.arange(12), 4, 6, seed=1))
    assert len(drawn) == 6
    for part in (drawn[:3], drawn[3:]):
        assert sorted(int(v) for x, _ in part for v in x.flatten()) == list(range(12))
    assert all(torch.equal(x.flatten().long(), y) for x, y in drawn)


def test_a_batch_larger_than_the_data_is_refused() -> None:
    with pytest.raises(ValueError, match="batch is 4; allowed is at most the 3"):
        next(training.batches(np.zeros((3, 1, 1, 1), np.float32), np.zeros(3, np.int64), 4, 1, seed=0))


def test_the_rate_rises_and_falls() -> None:
    rates = [training.rate(step, 1000) for step in range(1000)]
    assert rates[0] == pytest.approx(0.01, rel=0.01)
    assert max(rates) == pytest.approx(1.0, abs=0.05)
    assert rates[-1] == pytest.approx(0.01, abs=0.001)
    assert np.argmax(rates) in range(80, 120)


def test_the_average_of_constant_weights_is_the_weights() -> None:
    model = nn.Linear(2, 1)
    ema = training.Ema(model, 0.9)
    nn.init.ones_(model.weight)
    for _ in range(300):
        ema.update(model)
    assert isinstance(ema.model, nn.Linear)
    torch.testing.assert_close(ema.model.weight, model.weight)
    assert not ema.model.weight.requires_grad


def test_a_checkpoint_brings_the_model_and_its_report_back(tmp_path: pathlib.Path) -> None:
    model = classifier.build().eval()
    curves = {"step": [float(i) for i in range(200)], "loss": [1.0 / (i + 1) for i in range(200)]}
    trained = training.Trained(model, curves, 1.25)
    training.save(tmp_path, classifier.RECIPE, trained, {"accuracy": 0.123456789}, 1.0)
    again = training.load("glyphs-classifier", tmp_path)
    x = torch.rand(3, 1, 28, 28)
    assert torch.equal(again(x), model(x))
    assert not again.training
    report = training.report("glyphs-classifier", tmp_path)
    assert report["seed"] == classifier.RECIPE.seed
    assert report["heldout"] == {"accuracy": 0.123457}
    assert isinstance(report["curves"], dict)
    assert len(report["curves"]["loss"]) <= training.CURVE_POINTS
    assert report["curves"]["step"][-1] == 199.0


def test_thinning_keeps_the_last_value_and_the_order() -> None:
    assert training.thin([1.0, 2.0]) == [1.0, 2.0]
    kept = training.thin([float(i) for i in range(121)], points=60)
    assert len(kept) <= 60
    assert kept[-1] == 120.0
    assert kept == sorted(kept)


def test_unknown_and_untrained_models_are_named(tmp_path: pathlib.Path) -> None:
    with pytest.raises(KeyError, match="no zoo model is named 'nope'"):
        training.module("nope")
    with pytest.raises(FileNotFoundError, match="train glyphs-vae first"):
        training.load("glyphs-vae", tmp_path)


def test_denormals_count_as_zero_inside_the_block_only() -> None:
    tiny = torch.tensor(1e-40)
    with training.without_denormals():
        assert float(tiny * 0.5) == 0.0
    assert float(tiny * 0.5) > 0.0
