"""Who gets how many rows."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brood.remote.routing import LEAST_S, Candidate, Share, finish_s, is_full, over_s, shares, whole

CANDIDATES = st.lists(
    st.builds(
        Candidate,
        st.floats(0.0, 100.0),
        st.floats(1e-6, 10.0),
        st.integers(1, 64),
    ),
    min_size=1,
    max_size=8,
)
ROWS = st.integers(1, 4096)


@settings(max_examples=100, deadline=None)
@given(ROWS, CANDIDATES)
def test_every_row_goes_somewhere_and_nobody_gets_none(rows: int, candidates: list[Candidate]) -> None:
    found = shares(rows, candidates)
    assert sum(share.rows for share in found) == rows
    assert all(share.rows > 0 for share in found)
    numbers = [share.candidate for share in found]
    assert numbers == sorted(set(numbers))


@settings(max_examples=100, deadline=None)
@given(ROWS, CANDIDATES)
def test_cutting_is_no_later_than_not_cutting(rows: int, candidates: list[Candidate]) -> None:
    found = shares(rows, candidates)
    assert finish_s(found, candidates) <= finish_s([whole(rows, candidates)], candidates)


@settings(max_examples=100, deadline=None)
@given(ROWS, CANDIDATES)
def test_parts_are_worth_while(rows: int, candidates: list[Candidate]) -> None:
    found = shares(rows, candidates)
    if len(found) > 1:
        for share in found:
            candidate = candidates[share.candidate]
            assert share.rows >= candidate.batch - 1
            assert (share.rows + 1) * candidate.row_s >= LEAST_S


@settings(max_examples=100, deadline=None)
@given(ROWS, CANDIDATES)
def test_all_parts_end_at_about_the_same_time(rows: int, candidates: list[Candidate]) -> None:
    found = shares(rows, candidates)
    ends = [candidates[i].ahead_s + part * candidates[i].row_s for i, part in found]
    slowest_row = max(candidates[i].row_s for i, _ in found)
    assert max(ends) - min(ends) <= 2 * slowest_row


def test_equal_workers_get_equal_parts() -> None:
    assert shares(500, [Candidate(0.0, 0.01, 16)] * 2) == [Share(0, 250), Share(1, 250)]


def test_a_fast_worker_gets_more_and_a_busy_one_less() -> None:
    assert shares(300, [Candidate(0.0, 0.01), Candidate(0.0, 0.02)]) == [Share(0, 200), Share(1, 100)]
    assert shares(300, [Candidate(1.0, 0.01), Candidate(0.0, 0.01)]) == [Share(0, 100), Share(1, 200)]


def test_one_that_is_too_busy_gets_nothing() -> None:
    assert shares(100, [Candidate(5.0, 0.01), Candidate(0.0, 0.01)]) == [Share(1, 100)]


def test_what_fits_into_a_batch_is_not_cut() -> None:
    assert shares(16, [Candidate(0.0, 0.01, 16)] * 4) == [Share(0, 16)]
    assert shares(31, [Candidate(0.0, 0.01, 16)] * 4) == [Share(0, 31)]
    assert shares(32, [Candidate(0.0, 0.01, 16)] * 4) == [Share(0, 16), Share(1, 16)]


def test_what_takes_no_time_is_not_cut() -> None:
    assert shares(100, [Candidate(0.0, 1e-5)] * 2) == [Share(0, 100)]


def test_one_row_goes_where_it_ends_first() -> None:
    assert shares(1, [Candidate(0.3, 0.1), Candidate(0.1, 0.2), Candidate(0.2, 0.2)]) == [Share(1, 1)]


@pytest.mark.parametrize(
    ("ahead_s", "rows", "full"),
    [(0.0, 1, False), (0.9, 1, False), (0.95, 1, True), (0.0, 1000, False), (0.01, 1000, False), (0.95, 1000, True)],
)
def test_a_worker_is_full_when_no_part_worth_while_fits(ahead_s: float, rows: int, full: bool) -> None:
    assert is_full(Candidate(ahead_s, 0.1), rows, 1.0) is full


def test_it_is_told_how_long_a_worker_stays_full() -> None:
    assert over_s(Candidate(1.5, 0.1), 1, 1.0) == pytest.approx(0.6)
