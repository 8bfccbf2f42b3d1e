"""Parts of one generation come together, whatever is lost on the way."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brood.protocol.events import Preview, Progress, Usage
from brood.protocol.requests import Generation
from brood.remote.merge import Merge, Part
from brood.remote.orders import Piece

STEPS = 10


def asked(n: int, index: int = 0, every: int | None = None) -> Generation:
    return Generation("id", "tiny", 1, "generate", n, 7, index, {}, {}, None, progress_every=every)


def progress(rows: int, steps: int, eta_s: float = 0.0) -> Progress:
    return Progress(steps, rows * STEPS, 0, rows, eta_s)


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 40), st.integers(0, 1000), st.integers(0))
def test_each_sample_comes_once_whatever_is_lost(n: int, index: int, seed: int) -> None:
    chance = random.Random(seed)
    merge, given_on = Merge(asked(n, index)), list[int]()
    pieces = [Piece(0, n)]
    while pieces:
        part = Part(pieces.pop(chance.randrange(len(pieces))))
        rows = list(range(part.piece.start, part.piece.start + part.piece.rows))
        chance.shuffle(rows)
        dies_after = chance.randint(0, len(rows))
        for row in rows[:dies_after]:
            given_on += [index + row] * merge.sample(part, index + row)
            assert not merge.sample(part, index + row)  # a second time
        missing = merge.lost(part, 1.0) if dies_after < len(rows) else []
        assert {row for piece in missing for row in range(piece.start, piece.start + piece.rows)} == set(
            rows[dies_after:]
        )
        pieces += missing
    assert sorted(given_on) == list(range(index, index + n))
    assert merge.left == 0


def test_samples_of_other_rows_are_not_handed_on() -> None:
    merge = Merge(asked(4, 10))
    part = Part(Piece(0, 4))
    assert [merge.sample(part, index) for index in (9, 14, 10, 13)] == [False, False, True, True]
    assert merge.missing(Piece(0, 4)) == [Piece(1, 2)]
    assert merge.missing(Piece(0, 1)) == []


def test_progress_is_summed_and_told_when_due() -> None:
    merge = Merge(asked(10, every=2))
    one, other = Part(Piece(0, 4)), Part(Piece(4, 6))
    both = [one, other]
    assert merge.progress(one, progress(4, 8, 3.0), both) is None  # 8 of 20 steps
    told = merge.progress(other, progress(6, 12, 5.0), both)
    assert told == Progress(20, 100, 0, 10, 5.0)  # they run side by side: the later end counts
    for row in range(4):
        merge.sample(one, row)
    merge.done(one, Usage(4, 40, 1.0, 2.0))
    assert merge.progress(other, progress(6, 24, 4.0), [other]) == Progress(64, 100, 4, 10, 4.0)


def test_progress_never_goes_back() -> None:
    merge = Merge(asked(2, every=1))
    dead = Part(Piece(0, 2))
    assert merge.progress(dead, progress(2, 18), [dead]) is not None
    assert merge.lost(dead, 1.0) == [Piece(0, 2)]
    again = Part(Piece(0, 2))
    assert merge.progress(again, progress(2, 4), [again]) is None
    assert merge.progress(again, progress(2, 20), [again]) == Progress(20, 20, 0, 2, 0.0)


def test_usage_sums_rows_and_steps_and_spans_all_times() -> None:
    merge = Merge(asked(10))
    one, other = Part(Piece(0, 4)), Part(Piece(4, 6), began_s=0.5)
    merge.done(one, Usage(4, 40, queue_ms=20.0, run_ms=100.0))
    merge.done(other, Usage(6, 60, queue_ms=5.0, run_ms=300.0))
    usage = merge.usage()
    assert (usage.rows, usage.steps, usage.queue_ms) == (10, 100, 20.0)
    assert usage.run_ms == pytest.approx(785.0)


def test_usage_of_one_part_is_its_own() -> None:
    merge, part = Merge(asked(1)), Part(Piece(0, 1))
    merge.sample(part, 0)
    merge.done(part, Usage(1, 3, 0.25, 1.5))
    assert merge.usage() == Usage(1, 3, 0.25, 1.5)


def test_what_was_made_by_a_lost_worker_counts() -> None:
    merge, part = Merge(asked(4, every=1)), Part(Piece(0, 4))
    merge.progress(part, progress(4, 20), [part])
    merge.sample(part, 0)
    merge.lost(part, now_s=2.0)
    again = Part(Piece(1, 3), began_s=2.0)
    for row in (1, 2, 3):
        merge.sample(again, row)
    merge.done(again, Usage(3, 30, 0.0, 500.0))
    assert merge.usage() == Usage(4, 40, 0.0, 2500.0)


def test_previews_go_forward_only() -> None:
    merge, part = Merge(asked(2)), Part(Piece(0, 2))
    shown = Preview(0, 7, 2, STEPS, {})
    assert merge.preview(shown)
    assert not merge.preview(shown)  # made again by another worker
    assert not merge.preview(replace(shown, step=1))
    assert merge.preview(replace(shown, step=3))
    assert merge.preview(replace(shown, index=1, step=1))
    assert not merge.preview(replace(shown, index=2))
    merge.sample(part, 0)
    assert not merge.preview(replace(shown, step=4))
