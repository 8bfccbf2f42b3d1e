"""glyphs-flow: both directions, the determinant, the densities' normalisation, what was trained."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch
from torch import Tensor, nn

from brood_export.zoo import classifier, couplings, flow, training
from brood_export.zoo.glyphs import glyphs

pytestmark = pytest.mark.export


def randomise(coupling: nn.Module, deviation: float) -> None:
    """Undo a coupling's start as the identity: random numbers in its network's last layer."""
    assert isinstance(coupling, couplings.DenseCoupling | flow.DetailCoupling)
    for parameter in coupling.net[-1].parameters():
        nn.init.normal_(parameter, 0.0, deviation)


def shaken() -> flow.GlyphsFlow:
    """An untrained model none of whose couplings is the identity."""
    with training.reproducible(1):
        model = flow.build()
        for coupling in [*model.couplings, *model.details]:
            randomise(coupling, 0.05)
        nn.init.normal_(model.affine.log_scale, 0.0, 0.2)
    return model


def test_the_inverse_undoes_the_map() -> None:
    model, labels = shaken(), torch.arange(6)
    v = torch.rand(6, 1, 28, 28)
    z, _ = model(v, labels)
    assert z.shape == (6, 784)
    torch.testing.assert_close(model.inverse(z, labels), v, atol=1e-5, rtol=0.0)
    assert training.parameters(model) <= 800_000


def test_a_dense_couplings_determinant_is_the_jacobians() -> None:
    with training.reproducible(2):
        coupling = couplings.DenseCoupling(torch.tensor([4, 0, 2, 1, 5, 3]), 8)
        randomise(coupling, 1.0)
        x, label = torch.randn(6), torch.tensor([4])
    jacobian = torch.func.jacrev(lambda row: coupling(row[None], label)[0][0])(x)
    log_det = coupling(x[None], label)[1]
    torch.testing.assert_close(log_det[0], torch.linalg.slogdet(jacobian)[1])


@pytest.mark.parametrize("channel", [0, 1, 2])
def test_a_detail_couplings_determinant_is_the_jacobians(channel: int) -> None:
    with training.reproducible(2):
        coupling = flow.DetailCoupling(channel)
        randomise(coupling, 0.1)
        x, context = torch.randn(48), torch.randn(1, 32, 4, 4)

    def flat(row: Tensor) -> Tensor:
        y: Tensor = coupling(row.reshape(1, 3, 4, 4), context)[0]
        return y.flatten()

    log_det = coupling(x.reshape(1, 3, 4, 4), context)[1]
    torch.testing.assert_close(log_det[0], torch.linalg.slogdet(torch.func.jacrev(flat)(x))[1], atol=1e-4, rtol=1e-4)


def test_log_det_is_the_sum_of_the_parts() -> None:
    model, label = shaken(), torch.tensor([1, 7])
    v = torch.rand(2, 1, 28, 28)
    y, slope = flow.logit(v)
    coarse, detail = flow.haar(y)
    parts = model.coarse_to_z(coarse, label)[1] + model.detail_to_z(detail, coarse, label)[1]
    z, log_det = model(v, label)
    torch.testing.assert_close(log_det, slope + parts)
    normal = -0.5 * (z.square().sum(1) + 784 * math.log(2.0 * math.pi))
    torch.testing.assert_close(model.log_prob(v, label), normal + log_det)


def test_rows_do_not_see_each_other() -> None:
    model, labels = shaken(), torch.arange(4)
    z = torch.randn(4, 784)
    alone = torch.cat([model.inverse(z[i : i + 1], labels[i : i + 1]) for i in range(4)])
    torch.testing.assert_close(model.inverse(z, labels), alone, atol=1e-5, rtol=0.0)


def test_the_haar_step_keeps_lengths_and_is_undone() -> None:
    y = torch.randn(2, 1, 28, 28)
    coarse, detail = flow.haar(y)
    torch.testing.assert_close(flow.unhaar(coarse, detail), y)
    length = coarse.square().sum() + detail.square().sum()
    torch.testing.assert_close(length, y.square().sum())
    flat_coarse, flat_detail = flow.haar(torch.ones(1, 1, 28, 28))
    assert torch.equal(flat_coarse, torch.full((1, 1, 14, 14), 2.0))
    assert not flat_detail.any()


def test_the_logit_is_undone_and_its_slope_is_the_derivative() -> None:
    v = torch.tensor([0.0, 0.3, 1.0], dtype=torch.float64).reshape(3, 1, 1, 1).requires_grad_()
    y, log_det = flow.logit(v)
    torch.testing.assert_close(flow.unlogit(y), v)
    (slope,) = torch.autograd.grad(y.sum(), v)
    torch.testing.assert_close(log_det, torch.log(slope).flatten())


def test_dequantised_levels_come_back() -> None:
    image = torch.tensor([0.0, 0.031, 0.032, 0.5, 1.0]).reshape(5, 1, 1, 1)
    for u in (0.0, 0.5, 0.999):
        v = flow.dequantise(image, torch.full_like(image, u))
        assert torch.floor(v * 32).flatten().tolist() == [0, 0, 1, 16, 31]
        assert float(v.max()) < 1.0


def test_a_uniform_density_costs_five_bits() -> None:
    assert flow.bits_per_dim(torch.zeros(2)).tolist() == pytest.approx([math.log2(32)] * 2)


def test_every_mask_moves_each_place_in_one_of_two_neighbours() -> None:
    orders = flow.orders()
    for first, second in zip(orders[::2], orders[1::2], strict=True):
        assert sorted(first.tolist()) == list(range(196))
        assert set(first[98:].tolist()) | set(second[98:].tolist()) == set(range(196))


def test_a_short_training_gains_bits_and_repeats_itself() -> None:
    recipe = dataclasses.replace(flow.RECIPE, steps=20, batch=16, pictures=200)
    first, second = (flow.train(recipe, training.quiet) for _ in range(2))
    assert first.curves["loss"][-1] < first.curves["loss"][0]
    assert first.curves == second.curves


def test_training_bits_are_the_likelihoods_when_all_details_agree() -> None:
    model, label = shaken(), torch.full((8,), 3)
    v = torch.rand(1, 1, 28, 28).expand(8, -1, -1, -1)
    expected = flow.bits_per_dim(model.log_prob(v, label)).mean()
    torch.testing.assert_close(flow.training_bits(model, v, label), expected)


def test_the_shipped_flow_draws_digits_and_prefers_pictures_to_noise() -> None:
    model = training.load(flow.RECIPE.name)
    assert isinstance(model, flow.GlyphsFlow)
    images, labels = (torch.from_numpy(part) for part in glyphs("heldout", 100, seed=5, cache_dir=None))
    with training.reproducible(9), torch.no_grad():
        drawn = classifier.verdict(flow.samples(model, 300), classifier.balanced(300))
        v = flow.dequantise(images, torch.rand_like(images))
        pictures = flow.bits_per_dim(model.log_prob(v, labels)).mean()
        noise = flow.bits_per_dim(model.log_prob(torch.rand(8, 1, 28, 28), torch.arange(8))).mean()
        again = model.inverse(model(v, labels)[0], labels)
    assert drawn["class_coverage"] == 1.0
    assert drawn["sample_accuracy"] > 0.95
    assert drawn["diversity"] > 0.75
    assert float((again - v).abs().max()) < 1e-3
    assert float(pictures) < 1.2
    assert float(noise) > 5.0
