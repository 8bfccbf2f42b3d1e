"""Noise schedules against their formulas."""

import numpy as np
import pytest

from brood.protocol.errors import BundleError
from brood.sampling.betas import BETAS, cosine, linear, scaled_linear, signal_levels
from brood.sampling.terms import Given

NUMBERS = {"train_steps": 1000, "beta_start": 1e-4, "beta_end": 0.02}
GIVEN = Given({}, NUMBERS, {"betas": "linear"})


def test_linear_and_its_root() -> None:
    np.testing.assert_allclose(linear(3, GIVEN), [1e-4, 0.01005, 0.02])
    np.testing.assert_allclose(scaled_linear(3, GIVEN), [1e-4, ((1e-2 + 0.02**0.5) / 2) ** 2, 0.02])


def test_cosine_has_the_signal_of_its_formula_until_the_cap() -> None:
    T = 50
    levels = np.cumprod(1 - cosine(T, GIVEN))

    def formula(t: float) -> float:
        return float(np.cos((t / T + 0.008) / 1.008 * np.pi / 2) ** 2)

    for t in range(T - 1):
        assert levels[t] == pytest.approx(formula(t + 1) / formula(0))
    assert levels[-1] == pytest.approx(levels[-2] * 0.001)


@pytest.mark.parametrize("betas", BETAS)
def test_signal_falls_from_nearly_all_to_nearly_none(betas: str) -> None:
    levels = signal_levels(Given({}, NUMBERS, {"betas": betas}))
    assert levels.shape == (1000,)
    assert levels.dtype == np.float64
    assert (np.diff(levels) < 0).all()
    assert levels[0] > 0.999
    assert 0 < levels[-1] < 0.01


@pytest.mark.parametrize(
    ("numbers", "words", "field"),
    [
        ({}, {"betas": "linear"}, "schedule.numbers.train_steps"),
        ({"train_steps": 10}, {"betas": "linear"}, "schedule.numbers.beta_start"),
        ({**NUMBERS, "beta_end": 1.5}, {"betas": "linear"}, "schedule.numbers.beta_end"),
        ({**NUMBERS, "beta_end": 0.9}, {"betas": "linear"}, "schedule.numbers.train_steps"),
        (NUMBERS, {"betas": "quadratic"}, "schedule.words.betas"),
        (NUMBERS, {}, "schedule.words.betas"),
    ],
)
def test_a_bundle_with_wrong_numbers_is_told_which(
    numbers: dict[str, float], words: dict[str, str], field: str
) -> None:
    with pytest.raises(BundleError) as caught:
        signal_levels(Given({}, numbers, words))
    assert caught.value.field == field
