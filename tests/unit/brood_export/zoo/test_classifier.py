"""The classifier's verdict on data it should like and on samples it should not."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from brood_export.zoo import classifier, training
from brood_export.zoo.glyphs import glyphs

pytestmark = pytest.mark.export


def heldout(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    images, labels = glyphs("heldout", count, seed=5, cache_dir=None)
    return torch.from_numpy(images), torch.from_numpy(labels)


def test_the_shipped_classifier_reads_pictures_of_a_seed_it_never_saw() -> None:
    images, labels = heldout(1000)
    right = classifier.trained()(images).argmax(1) == labels
    assert right.float().mean() >= 0.985


def test_a_short_training_learns() -> None:
    recipe = dataclasses.replace(classifier.RECIPE, steps=40, batch=32, pictures=512)
    trained = classifier.train(recipe, training.quiet)
    assert trained.curves["loss"][-1] < trained.curves["loss"][0]
    assert not trained.model.training


def test_verdict_on_data_is_good_and_on_one_repeated_picture_is_not() -> None:
    images, labels = heldout(1000)
    good = classifier.verdict(images, labels)
    assert good["sample_accuracy"] >= 0.985
    assert good["class_coverage"] == 1.0
    assert good["diversity"] == pytest.approx(1.0, abs=0.05)
    bad = classifier.verdict(images[:1].expand(1000, -1, -1, -1), labels)
    assert bad["sample_accuracy"] < 0.2
    assert bad["class_coverage"] == pytest.approx(0.1)
    assert bad["diversity"] == pytest.approx(0.0, abs=1e-3)
    assert bad["feature_frechet_distance"] > 20 * abs(good["feature_frechet_distance"])


def test_frechet_distance_of_gaussians_in_closed_form() -> None:
    generator = torch.Generator().manual_seed(0)
    a = torch.randn(20_000, 3, generator=generator)
    assert classifier.frechet(a, a) == pytest.approx(0.0, abs=1e-6)
    # Same covariance, means 2 apart; then the same mean, deviations 1 and 3 in three dimensions.
    assert classifier.frechet(a, a + torch.tensor([2.0, 0.0, 0.0])) == pytest.approx(4.0, rel=1e-3)
    centred = a - a.mean(0)
    assert classifier.frechet(centred, 3 * centred) == pytest.approx(3 * 4.0, rel=0.05)


def test_spread_is_the_distance_between_two_pictures_of_a_class() -> None:
    images = torch.zeros(20, 1, 28, 28)
    images[10:, 0, 0, 0] = 1.0
    labels = classifier.balanced(20)
    # Two pictures per class at distance 1; a sample variance of two counts their squared distance over 2.
    assert classifier.spread(images, labels) == pytest.approx(1.0)


def test_balanced_labels_count_through_the_classes() -> None:
    assert classifier.balanced(12).tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]
