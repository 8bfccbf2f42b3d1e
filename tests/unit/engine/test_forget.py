"""A model that is replaced is held no longer than its requests run, and shares nothing with its successor."""

from __future__ import annotations

import pytest

from brood.engine.model import EngineModel
from brood.protocol.events import Done, Failed
from helpers.paper import Paper, paper_model


def held(paper: Paper, model: EngineModel) -> bool:
    """Whether the scheduler knows anything of a model."""
    scheduler = paper.scheduler
    return id(model) in scheduler._places or any(queue.model is model for queue in scheduler._queues.values())


def test_a_model_is_forgotten_when_its_last_row_is_done() -> None:
    paper, model = Paper(), paper_model(capacity=4)
    paper.submit(model, "a", n=6)
    paper.step()
    paper.scheduler.forget(model)
    assert held(paper, model)
    for _ in paper.run():
        assert held(paper, model)
    assert isinstance(paper.ending("a"), Done)
    assert not held(paper, model)


@pytest.mark.parametrize("used", [True, False])
def test_an_idle_model_is_forgotten_at_once(used: bool) -> None:
    paper, model = Paper(), paper_model(capacity=4)
    if used:
        paper.submit(model, "a")
        list(paper.run())
        assert held(paper, model)
    paper.scheduler.forget(model)
    assert not held(paper, model)


def test_a_row_in_flight_of_a_cancelled_request_is_waited_for() -> None:
    paper, model = Paper(), paper_model(capacity=4)
    paper.submit(model, "a", n=6)
    plan = paper.begin()
    assert plan is not None
    paper.scheduler.forget(model)
    paper.cancel("a")
    assert held(paper, model)
    paper.finish(plan)
    assert paper.begin() is None
    assert not held(paper, model)


def test_a_deadline_ends_it_too() -> None:
    paper, model = Paper(), paper_model(capacity=4)
    paper.submit(model, "a", n=6, deadline=0.5)
    paper.scheduler.forget(model)
    paper.now = 1.0
    assert paper.begin() is None
    assert isinstance(paper.ending("a"), Failed)
    assert not held(paper, model)


def test_the_same_version_loaded_anew_has_slots_of_its_own() -> None:
    paper, old, new = Paper(), paper_model(capacity=8), paper_model(capacity=2)
    paper.submit(old, "a", n=6, steps=8)
    paper.step()
    paper.submit(new, "b", n=5)
    paper.scheduler.forget(old)
    for plan in paper.run():
        assert len({id(row.job.model) for row in plan.rows}) == 1
        assert {id(row.job.model) for row in plan.rows} == {id(plan.model)}
        assert all(row.slot < plan.model.runtime.capacity for row in plan.rows)
    assert all(isinstance(paper.ending(name), Done) for name in "ab")
    assert held(paper, new)
    assert not held(paper, old)


def test_a_request_that_ended_does_not_hold_rows_made_ahead() -> None:
    """They know their request, which knows its model: a cycle, that only a collection of garbage would end."""
    paper, model = Paper(), paper_model(capacity=4)
    job = paper.submit(model, "a", n=6)
    assert job.coming(0) is job.prepared[0]
    paper.cancel("a")
    assert job.prepared == {}
