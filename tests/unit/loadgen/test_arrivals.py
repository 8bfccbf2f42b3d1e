"""When requests are due."""

from __future__ import annotations

import numpy as np
import pytest

from brood.loadgen.arrivals import Bursts, bursty, bursty_within, poisson_within


def test_bursts_keep_the_mean_rate_and_spread_the_counts() -> None:
    times = bursty(20.0, 40_000, Bursts(factor=5.0, length_s=0.5), np.random.default_rng(0))
    assert (np.diff(times) >= 0).all()
    assert len(times) / times[-1] == pytest.approx(20.0, rel=0.1)
    counts = np.bincount(times.astype(int))
    assert counts.var() / counts.mean() > 5.0  # of independent arrivals: 1


def test_bursts_end_where_they_are_told_to() -> None:
    times = bursty_within(50.0, 200.0, Bursts(factor=8.0, length_s=2.0), np.random.default_rng(1))
    assert times[-1] < 200.0
    assert len(times) / 200 == pytest.approx(50, rel=0.3)


def test_independent_arrivals_have_their_rate_and_spread() -> None:
    times = poisson_within(20.0, 20.0, 1000.0, np.random.default_rng(0))
    assert times[-1] < 1000.0
    gaps = np.diff(times)
    assert gaps.mean() == pytest.approx(1 / 20, rel=0.03)
    assert gaps.std() == pytest.approx(1 / 20, rel=0.03)


@pytest.mark.parametrize(("first", "last"), [(10.0, 50.0), (50.0, 10.0), (1.0, 59.0)])
def test_a_ramp_has_its_rate_at_every_moment(first: float, last: float) -> None:
    times = poisson_within(first, last, 1000.0, np.random.default_rng(0))
    assert (np.diff(times) >= 0).all()
    counts, edges = np.histogram(times, bins=10, range=(0.0, 1000.0))
    middles = (edges[:-1] + edges[1:]) / 2
    np.testing.assert_allclose(counts / 100, first + (last - first) * middles / 1000, rtol=0.12)
