"""Stages that run once for all samples of a request."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from brood.engine.admission import Admission
from brood.engine.model import EngineModel
from brood.protocol.errors import Cancelled, RuntimeFailed
from brood.protocol.events import Done, Preview
from brood.protocol.requests import Generation
from helpers.engine import Driver, engine_model, generation, recorded
from helpers.paper import Paper, ids, paper_model
from helpers.prompted import prompted_bundle


def asked(model: EngineModel, name: str, prompt: int, n: int, **words: object) -> Generation:
    given = np.broadcast_to(np.full(4, prompt, np.int64), (n, 4))
    return generation(model, name, n=n, inputs={"prompt": given}, **words)  # type: ignore[arg-type]


def test_the_first_row_goes_ahead_and_the_others_follow() -> None:
    paper = Paper()
    job = paper.submit(paper_model(), "a", n=3, operation="led", steps=2)
    plans = [(plan.group.graph, ids(plan)) for plan in paper.run()]
    everybody = [("a", 0), ("a", 1), ("a", 2)]
    assert plans == [("encode", [("a", 0)]), ("step", everybody), ("step", everybody), ("finish", everybody)]
    ending = paper.ending("a")
    assert isinstance(ending, Done)
    assert ending.usage.steps == job.all_steps == 10


def test_requests_share_the_call_for_what_each_makes_once() -> None:
    paper, model = Paper(), paper_model()
    for name in "abc":
        paper.submit(model, name, n=4, operation="led", steps=1)
    first, *rest = list(paper.run())
    assert (first.group.graph, ids(first)) == ("encode", [("a", 0), ("b", 0), ("c", 0)])
    assert sum(len(plan.rows) for plan in rest) == 24


def test_while_one_request_makes_it_others_use_the_device() -> None:
    paper, model = Paper(), paper_model()
    paper.submit(model, "a", n=2, steps=30)
    paper.step()
    paper.submit(model, "b", n=2, operation="led", steps=1)
    graphs = [plan.group.graph for plan in paper.run()]
    assert graphs.index("encode") < 10
    assert graphs.count("encode") == 1


def test_one_place_is_enough() -> None:
    paper, model = Paper(), paper_model(capacity=1)
    for name in "ab":
        paper.submit(model, name, n=3, operation="led", steps=2)
    plans = list(paper.run())
    assert [plan.group.graph for plan in plans].count("encode") == 2
    assert all(isinstance(paper.ending(name), Done) for name in "ab")


@pytest.mark.parametrize("steps", [0, 1, 2])
def test_a_cancelled_request_leaves_nothing_behind(steps: int) -> None:
    paper, model = Paper(), paper_model()
    paper.submit(model, "a", n=3, operation="led")
    for _ in range(steps):
        paper.step()
    plan = paper.begin()
    assert plan is not None
    paper.cancel("a")
    paper.finish(plan)
    assert paper.step() is None
    assert paper.scheduler.rows_waiting == 0
    assert sum(paper.scheduler.backlog_s.values()) == pytest.approx(0.0)
    assert paper.scheduler._places[id(model)].unused


def test_a_request_that_fails_there_fails_alone() -> None:
    paper = Paper(fails=lambda row: RuntimeFailed("no") if row.job.generation.request_id == "a" else None)
    model = paper_model()
    for name in "ab":
        paper.submit(model, name, n=3, operation="led")
    list(paper.run())
    assert paper.rows("a") == 1
    assert isinstance(paper.ending("b"), Done)


def test_what_is_made_once_is_predicted_once() -> None:
    model = paper_model(costs={"encode": dict.fromkeys((1, 2, 4, 8), 100.0)})
    job = Paper().submit(model, "a", n=50, operation="led", steps=1)
    plain = Paper().submit(model, "a", n=50, steps=1)
    assert job.alone_s == pytest.approx(plain.alone_s + 100.0)
    assert job.work_s == pytest.approx(plain.work_s + 100.0 / 8)
    assert job.held_bytes == plain.held_bytes + 8


def test_steps_of_previews_count_alike_for_all_rows() -> None:
    paper = Paper()
    paper.submit(paper_model(), "a", n=3, operation="led", steps=3, preview_every=2)
    list(paper.run())
    assert {(event.step, event.of) for event in paper.of("a", Preview)} <= {(2, 5), (4, 5)}


async def test_samples_are_those_of_the_interpreter(tmp_path: Path) -> None:
    directory, driver = prompted_bundle(tmp_path), Driver()
    model, calls = recorded(engine_model(directory, capacity=5))
    requests = [asked(model, str(number), number, number + 1, limit=3.0 * number) for number in range(6)]
    requests.append(asked(model, "exact", 3, 4, words={"exact": True}))
    for request in requests:
        driver.submit(model, request, Admission(60.0, 2**20))
        await driver.step()
    await driver.run()
    for request in requests:
        driver.survives(directory, request)
    assert sum(rows for graph, rows, _ in calls.calls if graph == "encode") == len(requests)


async def test_a_cancelled_one_harms_no_other(tmp_path: Path) -> None:
    directory, driver = prompted_bundle(tmp_path), Driver()
    model = engine_model(directory, capacity=2)
    gone, stays = asked(model, "gone", 1, 5), asked(model, "stays", 2, 5)
    driver.submit(model, gone)
    driver.submit(model, stays)
    await driver.step()
    driver.told.setdefault("gone", []).extend(event for _, event in driver.scheduler.cancel("gone"))
    await driver.run()
    assert isinstance(driver.failure("gone"), Cancelled)
    driver.survives(directory, stays)
