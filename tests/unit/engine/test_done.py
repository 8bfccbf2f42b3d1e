"""Rows that are done early: they leave at once, cost nothing more, and are what they are alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from brood.engine.rows import Row, RowState
from brood.engine.scheduler import Scheduler
from brood.protocol.events import Done, Preview, Progress
from helpers.endings import ending_bundle
from helpers.engine import Driver, engine_model, generation
from helpers.paper import Paper, ids, paper_model


def short(row: Row) -> bool:
    """Samples of even index are done after two steps."""
    return row.index % 2 == 0 and row.stage == 0 and row.step == 1


def test_a_row_that_is_done_goes_on_with_the_next_stage() -> None:
    paper, model = Paper(ends=short), paper_model()
    job = paper.submit(model, "a", n=2, steps=6)
    graphs = [(plan.group.graph, ids(plan)) for plan in paper.run()]
    assert sum(("a", 0) in who for _, who in graphs) == 3
    assert sum(("a", 1) in who for _, who in graphs) == 7
    assert graphs[-1] == ("finish", [("a", 0), ("a", 1)])
    ending = paper.ending("a")
    assert isinstance(ending, Done)
    assert (ending.usage.steps, job.all_steps, job.spared) == (10, 10, 4)


def test_its_place_is_free_at_once() -> None:
    paper, model = Paper(ends=short), paper_model(capacity=1)
    paper.submit(model, "a", steps=100)
    plans = [ids(paper.step())]
    paper.submit(model, "b", index=1)
    plans += [ids(plan) for plan in paper.run()]
    assert plans[:4] == [[("a", 0)], [("a", 0)], [("a", 0)], [("b", 1)]]


def test_what_it_does_not_need_is_no_backlog() -> None:
    paper = Paper(ends=short)
    job = paper.submit(paper_model(), "a", n=2, steps=9)
    before = paper.scheduler.backlog_s["interactive"]
    for _ in range(2):
        paper.step()
    spent = 4 + job.spared
    assert job.spared == 7
    assert paper.scheduler.backlog_s["interactive"] == pytest.approx(before - spent * job.step_s)
    assert paper.scheduler.backlog_s["interactive"] == pytest.approx(job.work_s)


def test_progress_and_previews_count_what_is_left() -> None:
    paper = Paper(ends=short)
    paper.submit(paper_model(), "a", steps=9, progress_every=1, preview_every=1)
    list(paper.run())
    assert [(event.steps, event.of) for event in paper.of("a", Progress)] == [(1, 10), (2, 3)]
    assert {event.of for event in paper.of("a", Preview)} <= {10, 3}
    assert paper.of("a", Preview)[-1].of == 3


def test_one_that_is_cancelled_as_it_ends_leaves_nothing_behind() -> None:
    paper = Paper(ends=short, scheduler=Scheduler())
    paper.submit(paper_model(), "a", steps=9)
    paper.step()
    plan = paper.begin()
    assert plan is not None
    paper.cancel("a")
    paper.finish(plan)
    assert plan.rows[0].state is RowState.ENDED
    assert paper.scheduler.backlog_s["interactive"] == pytest.approx(0.0)
    assert paper.step() is None


@pytest.mark.parametrize("limit", [0.0, 1.5, 4.0, 1e3])
async def test_samples_are_those_of_the_interpreter(tmp_path: Path, limit: float) -> None:
    directory, driver = ending_bundle(tmp_path), Driver()
    model = engine_model(directory, capacity=3)
    request = generation(model, "a", n=7, limit=limit, words={"progress_every": 1})
    driver.submit(model, request)
    await driver.run()
    driver.survives(directory, request)
    ending = driver.ending("a")
    assert isinstance(ending, Done)
    calls = [row for plan in driver.plans for row in plan.rows]
    assert ending.usage.steps == len(calls)
    assert {0.0: len(calls) == 14, 1e3: len(calls) == 7 * 13}.get(limit, 14 < len(calls) < 7 * 13)
