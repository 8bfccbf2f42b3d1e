"""points-diffusion: the data, shapes, the figures on points whose answer is known, what was trained."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from brood_export.zoo import points, training

pytestmark = pytest.mark.export


def model_of(seed: int) -> points.PointsDiffusion:
    with training.reproducible(seed):
        return points.build().eval()


def test_the_points_are_repeatable_standardised_and_bounded() -> None:
    places, labels = points.points("train", 4000)
    again, _ = points.points("train", 4000)
    others, _ = points.points("heldout", 4000)
    assert np.array_equal(places, again)
    assert not np.isin(places[:, 0], others[:, 0]).any()
    assert places.dtype == np.float32
    assert np.array_equal(np.bincount(labels), [1000] * points.CLASSES)
    for c in range(points.CLASSES):
        assert places[labels == c].mean(0) == pytest.approx([0.0, 0.0], abs=0.12)
        assert places[labels == c].std(0) == pytest.approx([1.0, 1.0], abs=0.12)
    assert np.abs(places).max() < points.CLIP


@pytest.mark.parametrize("rows", [1, 3])
def test_shapes_and_size(rows: int) -> None:
    model = model_of(1)
    noise = model(torch.randn(rows, 2), torch.full((rows,), 999.0), torch.full((rows,), points.NULL))
    assert noise.shape == (rows, 2)
    assert noise.dtype == torch.float32
    assert training.parameters(model) <= 120_000


def test_rows_do_not_see_each_other_and_every_label_matters() -> None:
    model, x, t = model_of(1), torch.randn(5, 2), torch.tensor([0.0, 1.0, 500.0, 998.0, 999.0])
    labels = torch.arange(5)
    alone = torch.cat([model(x[i : i + 1], t[i : i + 1], labels[i : i + 1]) for i in range(5)])
    torch.testing.assert_close(model(x, t, labels), alone, atol=1e-5, rtol=0.0)
    said = model(x[:1].expand(5, -1), torch.full((5,), 300.0), labels).detach()
    assert float(torch.cdist(said, said).add(torch.eye(5)).min()) > 1e-3


def test_figures_of_the_points_themselves_and_of_others() -> None:
    places, labels = (torch.from_numpy(part) for part in points.points("heldout", 2000))
    same = points.verdict(places, places, labels)
    assert same["energy_distance"] == pytest.approx(0.0, abs=1e-6)
    assert same["sliced_wasserstein"] == 0.0
    assert same["precision"] == same["recall"] == 1.0
    assert same["grid_least_share"] > 0.7
    moved = points.verdict(places + torch.tensor([3.0, 0.0]), places, labels)
    assert moved["sliced_wasserstein"] == pytest.approx(3.0 * 2.0 / np.pi, rel=0.01)  # mean of |cos|
    assert moved["energy_distance"] > 1.0
    assert moved["precision"] < 0.1


def test_a_lost_gaussian_of_the_grid_is_seen() -> None:
    centres = torch.cartesian_prod(torch.arange(-1.0, 2.0), torch.arange(-1.0, 2.0)) * points.SPACING
    assert points.least_share(centres) == pytest.approx(1.0)
    assert points.least_share(centres[:8]) == 0.0


def test_a_short_training_lowers_the_loss_and_repeats_itself() -> None:
    recipe = dataclasses.replace(points.RECIPE, steps=60, batch=64, pictures=256)
    first, second = (points.train(recipe, training.quiet) for _ in range(2))
    assert first.curves["loss"][-1] < 0.8 * first.curves["loss"][0]
    assert first.curves == second.curves
    for key, value in first.model.state_dict().items():
        assert torch.equal(value, second.model.state_dict()[key])


def test_the_shipped_denoiser_draws_every_shape() -> None:
    with training.reproducible(9):
        figures = points.evaluate(training.load(points.RECIPE.name))
    assert figures["energy_distance"] < 0.01
    assert figures["sliced_wasserstein"] < 0.1
    assert figures["precision"] > 0.9
    assert figures["recall"] > 0.95
    assert figures["grid_least_share"] > 0.7
    assert figures["energy_distance"] < figures["energy_distance_10_steps"] < figures["energy_distance_4_steps"]


def test_the_null_label_draws_points_of_all_classes() -> None:
    model = training.load(points.RECIPE.name)
    with training.reproducible(9):
        drawn = points.draw(model, torch.full((400,), points.NULL), 20, 1.0)
    places, labels = (torch.from_numpy(part) for part in points.points("heldout", 2000))
    nearest = labels[torch.cdist(drawn, places).argmin(1)]
    assert int(torch.bincount(nearest, minlength=points.CLASSES).min()) > 20


def test_a_point_s_angles_fill_whole_vectors() -> None:
    x = torch.tensor([[0.3, -1.7]])
    angles = x @ points.waves()
    assert angles.shape == (1, points.VECTOR)
    assert torch.equal(angles[:, : 2 * points.WAVES], torch.cat([x, 2.0 * x, 4.0 * x], 1))
    assert not angles[:, 2 * points.WAVES :].any()
