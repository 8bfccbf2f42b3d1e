"""What the denoisers share: noise levels in closed form, the loss's targets, guidance, the sampler on Gaussians."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from brood_export.zoo import denoising, training

pytestmark = pytest.mark.export

SHARES = {"cosine": denoising.cosine_shares(), "linear": denoising.linear_shares()}
PREDICTIONS: list[denoising.Prediction] = ["epsilon", "v"]


def knowing(mean: float, variance: float, shares: Tensor, predicts: denoising.Prediction) -> denoising.Denoiser:
    """The best denoiser of data that are normal around `mean`: x0 is estimated by linear regression on x."""

    def predict(x: Tensor, t: Tensor, label: Tensor) -> Tensor:
        share = denoising.per_row(shares[t.long()], x)
        gain = share.sqrt() * variance / (share * variance + 1.0 - share)
        x0 = mean + gain * (x - share.sqrt() * mean)
        noise = (x - share.sqrt() * x0) / (1.0 - share).sqrt()
        return noise if predicts == "epsilon" else share.sqrt() * noise - (1.0 - share).sqrt() * x0

    return predict


def test_the_cosine_is_followed_until_the_bound() -> None:
    wanted = [math.cos((t / 1000 + 0.008) / 1.008 * math.pi / 2) ** 2 for t in (0, 1, 501)]
    shares = SHARES["cosine"]
    assert [float(shares[t]) for t in (0, 500)] == pytest.approx([w / wanted[0] for w in wanted[1:]])
    assert float(shares[-1] / shares[-2]) == pytest.approx(0.001)


def test_the_linear_levels_multiply_up() -> None:
    product = math.prod(1.0 - (1e-4 + (0.02 - 1e-4) * t / 999) for t in range(1000))
    assert float(SHARES["linear"][-1]) == pytest.approx(product)


@pytest.mark.parametrize("name", list(SHARES))
def test_levels_fall_from_data_to_noise(name: str) -> None:
    shares = SHARES[name]
    assert shares.shape == (denoising.LEVELS,)
    assert shares.dtype == torch.float64
    assert bool((shares[1:] < shares[:-1]).all())
    assert float(shares[0]) > 0.999
    assert float(shares[-1]) < 1e-4


def test_neighbouring_times_differ_and_rows_stand_alone() -> None:
    features = denoising.TimeFeatures(8)
    t = torch.arange(0.0, 1000.0)
    rows = features(t)
    assert rows.shape == (1000, 16)
    assert float((rows[1:] - rows[:-1]).norm(dim=1).min()) > 0.1
    torch.testing.assert_close(features(t[500:501]), rows[500:501])


@pytest.mark.parametrize("predicts", PREDICTIONS)
def test_who_knows_the_point_makes_no_error(predicts: denoising.Prediction) -> None:
    model = knowing(0.7, 0.0, SHARES["linear"], predicts)
    x0, label = torch.full((64, 2), 0.7), torch.zeros(64, dtype=torch.int64)
    with training.reproducible(0):
        assert float(denoising.loss(model, x0, label, 4, SHARES["linear"], predicts)) < 1e-6


def test_the_levels_of_a_batch_are_spread_and_some_labels_hidden() -> None:
    seen: list[tuple[Tensor, Tensor]] = []

    def record(x: Tensor, t: Tensor, label: Tensor) -> Tensor:
        seen.append((t, label))
        return x

    with training.reproducible(0):
        for _ in range(20):
            denoising.loss(record, torch.zeros(500, 1), torch.full((500,), 3), 4, SHARES["cosine"], "v")
    times, labels = (torch.stack(parts) for parts in zip(*seen, strict=True))
    assert torch.equal((times / 2).floor(), torch.arange(500.0).expand(20, 500))
    assert times.dtype == torch.float32
    assert set(labels.flatten().tolist()) == {3, 4}
    assert float((labels == 4).float().mean()) == pytest.approx(denoising.NULL_SHARE, abs=0.015)


def test_guidance_leads_away_from_what_the_null_label_says() -> None:
    def model(x: Tensor, t: Tensor, label: Tensor) -> Tensor:
        return label.float()

    x, t, label = torch.zeros(2), torch.zeros(2), torch.tensor([1, 2])
    assert denoising.guided(model, 4, 0.0)(x, t, label).tolist() == [4.0, 4.0]
    assert denoising.guided(model, 4, 2.0)(x, t, label).tolist() == [-2.0, 0.0]
    assert denoising.guided(model, 4, 1.0) is model


@pytest.mark.parametrize("predicts", PREDICTIONS)
@pytest.mark.parametrize("name", list(SHARES))
def test_the_sampler_turns_noise_into_the_normal_it_is_told_of(name: str, predicts: denoising.Prediction) -> None:
    # x0 = mean + deviation * noise at the limit: the flow between two normals is linear.
    shares = SHARES[name]
    model = knowing(0.5, 0.09, shares, predicts)
    noise = torch.linspace(-2.0, 2.0, 9, dtype=torch.float64)[:, None]
    label = torch.zeros(9, dtype=torch.int64)
    made = denoising.ddim(model, noise, label, shares=shares, predicts=predicts, steps=500, clip=10.0)
    torch.testing.assert_close(made, 0.5 + 0.3 * noise, atol=0.02, rtol=0.0)


def test_one_step_shows_the_clipped_prediction() -> None:
    shares = SHARES["cosine"]
    model = knowing(3.0, 0.0, shares, "v")
    noise, label = torch.zeros(2, 1, dtype=torch.float64), torch.zeros(2, dtype=torch.int64)
    made = denoising.ddim(model, noise, label, shares=shares, predicts="v", steps=1, clip=1.0)
    assert made.flatten().tolist() == [1.0, 1.0]
