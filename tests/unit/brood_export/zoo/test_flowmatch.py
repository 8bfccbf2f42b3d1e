"""glyphs-flowmatch: the velocity it learns, its sampler, and what was trained."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import Tensor

from brood_export.zoo import classifier, flowmatch, training

pytestmark = pytest.mark.export


def test_the_loss_of_the_right_velocity_is_that_of_the_noise_alone() -> None:
    """For data at one point the velocity is known: (x - x0) / sigma."""
    x0 = torch.full((400, 1, 4, 4), 0.3)

    def exact(x: Tensor, t: Tensor, label: Tensor) -> Tensor:
        return (x - 0.3) / (t / flowmatch.TIME_SCALE).clamp(min=1e-6)[:, None, None, None]

    with training.reproducible(1):
        right = float(flowmatch.velocity_loss(exact, x0, torch.zeros(400, dtype=torch.int64)))
        wrong = float(flowmatch.velocity_loss(lambda x, t, y: torch.zeros_like(x), x0, torch.zeros(400)))
    assert right < 1e-4
    assert wrong == pytest.approx(1.0 + 0.09, abs=0.05)


def test_a_short_training_lowers_the_loss_and_repeats_itself() -> None:
    recipe = dataclasses.replace(flowmatch.RECIPE, steps=12, batch=16, pictures=64)
    first, second = (flowmatch.train(recipe, training.quiet) for _ in range(2))
    assert first.curves["loss"][-1] < first.curves["loss"][0]
    assert first.curves == second.curves
    for key, value in first.model.state_dict().items():
        assert torch.equal(value, second.model.state_dict()[key])


def test_the_shipped_model_draws_readable_digits_in_few_steps() -> None:
    model, labels = training.load(flowmatch.RECIPE.name), classifier.balanced(100)
    with training.reproducible(9):
        for steps in (8, flowmatch.STEPS):
            figures = classifier.verdict(flowmatch.draw(model, labels, steps, flowmatch.GUIDANCE), labels)
            assert figures["sample_accuracy"] >= 0.95
            assert figures["class_coverage"] == 1.0
            assert figures["diversity"] > 0.6


def test_the_null_label_draws_digits_of_many_classes() -> None:
    model = training.load(flowmatch.RECIPE.name)
    with training.reproducible(9), torch.no_grad():
        drawn = flowmatch.draw(model, torch.full((100,), flowmatch.NULL), 10, 1.0)
        seen = classifier.trained()(drawn).argmax(1)
    assert len(set(seen.tolist())) >= 8
