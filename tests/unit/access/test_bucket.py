"""The token bucket, held against its definition."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brood.access.bucket import TokenBucket


def test_a_burst_and_then_the_rate() -> None:
    bucket = TokenBucket(rate_per_s=2.0, burst=3, now=0.0)
    assert [bucket.take(0.0) for _ in range(3)] == [0.0] * 3
    assert bucket.take(0.0) == 0.5
    assert bucket.take(0.25) == 0.25
    assert bucket.take(0.5) == 0.0
    assert bucket.take(0.5) == 0.5


def test_rest_fills_no_more_than_the_burst() -> None:
    bucket = TokenBucket(rate_per_s=10.0, burst=2, now=0.0)
    assert [bucket.take(1e6) for _ in range(3)] == [0.0, 0.0, 0.1]


def test_a_clock_that_goes_back_gives_and_takes_nothing() -> None:
    bucket = TokenBucket(rate_per_s=1.0, burst=1, now=10.0)
    assert bucket.take(9.0) == 0.0
    assert bucket.take(9.0) == pytest.approx(1.0)


@given(
    rate=st.floats(0.1, 100),
    burst=st.integers(1, 20),
    gaps=st.lists(st.floats(0, 2), min_size=1, max_size=200),
)
def test_no_more_pass_than_the_rate_allows_and_who_waits_as_told_passes(
    rate: float, burst: int, gaps: list[float]
) -> None:
    bucket, now = TokenBucket(rate, burst, 0.0), 0.0
    for passed, gap in enumerate(gaps, start=1):
        now += gap
        wait_s = bucket.take(now)
        if wait_s:
            now += wait_s + 1e-9
            assert bucket.take(now) == 0.0
        assert passed <= burst + rate * now + 1e-6
