"""Shots that wait to be made previews of."""

from __future__ import annotations

from brood.engine.plan import Shot
from brood.engine.previews import Previews
from brood.engine.rows import Row
from helpers.paper import paper_job, paper_model

MODEL = paper_model()
JOB = paper_job(MODEL, "a", n=4, steps=9, preview_every=2)
ROWS = [Row(JOB, position) for position in range(4)]


def test_of_a_row_only_the_newest_is_kept_and_it_waits_anew() -> None:
    previews = Previews()
    shots = [Shot(ROWS[0], 2, {}), Shot(ROWS[1], 2, {}), Shot(ROWS[0], 4, {})]
    for shot in shots:
        previews.put(shot)
    ((group, model, job),) = previews.offers()
    assert (model, job) == (MODEL, JOB)
    assert previews.take(group, 8) == [shots[1], shots[2]]
    assert list(previews.offers()) == []


def test_so_many_are_taken_as_fit() -> None:
    previews = Previews()
    for row in ROWS:
        previews.put(Shot(row, 2, {}))
    ((group, _, _),) = previews.offers()
    assert [shot.row for shot in previews.take(group, 3)] == ROWS[:3]
    assert [shot.row for shot in previews.take(group, 3)] == ROWS[3:]


def test_those_of_rows_that_have_ended_are_dropped() -> None:
    previews, other = Previews(), paper_job(MODEL, "b", preview_every=2)
    for row in (ROWS[0], ROWS[1], Row(other, 0)):
        previews.put(Shot(row, 2, {}))
    previews.drop(ROWS[0])
    previews.drop(ROWS[3])
    previews.drop(Row(paper_job(MODEL, "c"), 0))
    ((group, _, _),) = previews.offers()
    assert [shot.row.job for shot in previews.take(group, 8)] == [JOB, other]


def test_a_row_is_looked_at_every_so_many_steps_but_not_when_it_is_finished() -> None:
    row, seen = Row(JOB, 0), []
    while not row.finishes:
        if row.previews:
            seen.append(row.steps + 1)
        row.advance()
    assert seen == [2, 4, 6, 8]
    assert not row.previews
