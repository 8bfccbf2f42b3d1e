"""Runs: one plan for several calls, where nothing but another step of the same rows would follow."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from brood.engine.executor import Executor
from brood.engine.plan import StepPlan
from brood.engine.runs import RUN_S, goes_by
from brood.engine.scheduler import Scheduler
from brood.protocol.errors import BroodError, RuntimeFailed
from brood.protocol.events import Done, Failed, Preview, Progress
from brood.protocol.requests import Generation
from brood.runtimes.base import Arrays
from brood.runtimes.slots import Pairs
from helpers.bundles import steps_bundle
from helpers.denoisers import denoiser_bundle
from helpers.endings import ending_bundle
from helpers.engine import Driver, Recorded, engine_model, generation, recorded
from helpers.paper import Paper, linear, paper_model

STEPS_OF = attrgetter("steps")
SHORT = linear(0.001, 0.0001)  # seconds of a call: many fit into a run


def paper(**words: Any) -> Paper:
    """Calls are made as often as planned."""
    return Paper(makes=STEPS_OF, **words)


def lengths(where: Paper) -> list[tuple[str, int, int]]:
    """Graph, rows and calls of every plan until nothing is left."""
    return [(plan.group.graph, plan.size, plan.steps) for plan in where.run()]


def test_what_runs_alone_is_one_run_for_each_graph() -> None:
    where = paper()
    where.submit(paper_model(costs=dict.fromkeys(("step", "finish"), SHORT)), "a", n=2, steps=9)
    assert lengths(where) == [("step", 2, 9), ("finish", 2, 1)]
    ending = where.ending("a")
    assert isinstance(ending, Done)
    assert ending.usage.steps == 20
    assert where.scheduler.backlog_s["interactive"] == pytest.approx(0.0)


def test_a_run_ends_where_the_first_of_its_rows_is_finished() -> None:
    where, model = paper(), paper_model(costs=dict.fromkeys(("step", "finish"), SHORT))
    where.submit(model, "a", steps=9)
    where.submit(model, "b", steps=4)
    assert lengths(where)[0] == ("step", 2, 4)


def test_a_run_ends_where_something_is_told() -> None:
    where, model = paper(), paper_model(costs=dict.fromkeys(("step", "finish", "preview"), SHORT))
    where.submit(model, "a", steps=12, preview_every=5)
    assert [steps for graph, _, steps in lengths(where) if graph == "step"] == [5, 5, 2]
    assert [event.step for event in where.of("a", Preview)] == [5, 10]
    where.submit(model, "b", n=2, steps=12, progress_every=5)
    assert [steps for graph, _, steps in lengths(where) if graph == "step"] == [5, 5, 2]
    assert [event.steps for event in where.of("b", Progress)] == [10, 20]


def test_a_run_ends_where_another_graph_is_needed(tmp_path: Path) -> None:
    model, driver = engine_model(denoiser_bundle(tmp_path), row_cost_s=1e-4), Driver()
    driver.submit(model, generation(model, "a", steps=7, guidance=3.0, guidance_stop=0.5))
    plan = driver.scheduler.plan(0.0)
    assert plan is not None
    guided = sum(each is not model.programs["generate"].stages[0] for each in _ways(plan))
    assert (plan.group.graph, plan.steps) == ("step_guided", guided)
    assert 0 < guided < 7


def _ways(plan: StepPlan) -> list[object]:
    job = plan.rows[0].job
    return [job.program.stages[0].at(job.schedule, step) for step in range(job.schedule.steps)]


def test_a_run_takes_a_bounded_time() -> None:
    where = paper()
    where.submit(paper_model(costs=dict.fromkeys(("step", "finish"), linear(0.02, 0.0))), "a", steps=9)
    plan = where.begin()
    assert plan is not None
    assert plan.steps == int(RUN_S / 0.02)


def test_there_are_no_runs_where_others_have_their_turn() -> None:
    costs = dict.fromkeys(("step", "finish", "encode"), SHORT)
    one, other = (paper_model(name, costs=costs) for name in "xy")
    where = paper()
    where.submit(one, "a", steps=9)
    where.submit(other, "b", steps=9)
    assert {steps for _, _, steps in lengths(where)} == {1}, "of another graph"
    where.submit(one, "c", steps=9, priority="bulk")
    where.submit(one, "d", n=8, steps=9)
    assert lengths(where)[0] == ("step", 8, 1), "of another class"


def test_who_waits_behind_those_of_its_class_does_not_end_their_run() -> None:
    where, model = paper(), paper_model(costs=dict.fromkeys(("step", "finish"), SHORT), capacity=64)
    where.submit(model, "a", n=40, steps=9)
    first = where.begin()
    assert first is not None
    assert (first.size, first.steps) == (8, 9)


def test_nobody_at_risk_is_left_to_a_run_and_none_lasts_until_somebody_is() -> None:
    where, model = paper(), paper_model(costs=dict.fromkeys(("step", "finish"), SHORT))
    where.submit(model, "a", steps=20, deadline=0.03)
    plan = where.begin()
    assert plan is not None
    assert plan.steps == 1
    where = paper()
    where.submit(model, "b", steps=20, deadline=1.0)
    plan = where.begin()
    assert plan is not None
    assert plan.steps > 1
    assert 0.0 < plan.until < 1.0


@pytest.mark.parametrize(
    ("rows", "words", "found"),
    [
        (8, {}, True),
        (8, {"tenant": "another", "n": 5}, True),
        (7, {}, False),
        (8, {"priority": "bulk"}, False),
        (8, {"deadline": 60.0}, False),
        (8, {"operation": "score"}, False),
    ],
)
def test_what_comes_goes_by_a_full_run_of_its_own_class(rows: int, words: dict[str, Any], found: bool) -> None:
    """If it does, the next call is for the same rows."""
    where, model = Paper(), paper_model(costs=dict.fromkeys(("step", "finish"), SHORT), capacity=64)
    where.submit(model, "a", n=rows, steps=9)
    plan = where.begin()
    assert plan is not None
    assert goes_by(plan, where.submit(model, "b", **words)) is found
    where.finish(plan)
    after = where.begin()
    assert after is not None
    if found:
        assert (after.rows, after.steps) == (plan.rows, plan.steps - 1)


def test_a_run_is_paid_for_like_single_calls() -> None:
    tags = []
    for makes in (lambda plan: 1, STEPS_OF):
        where = Paper(makes=makes)
        model = paper_model(costs=dict.fromkeys(("step", "finish"), SHORT))
        jobs = [where.submit(model, name, n=n, steps=6, tenant=name) for name, n in (("a", 1), ("b", 3))]
        list(where.run())
        tags.append([job.share.tag for job in jobs])
    assert tags[0] == pytest.approx(tags[1])


async def test_a_run_ends_after_the_call_in_which_something_happens(tmp_path: Path) -> None:
    """Whoever comes has the next call's place; who is cancelled costs no further one."""
    directory, happens = steps_bundle(tmp_path), set[int]()
    model, calls = recorded(engine_model(directory, row_cost_s=1e-4))
    driver = Driver(interrupted=lambda: len(calls.calls) in happens)
    happens.add(calls_before := len(calls.calls) + 3)
    first, second = generation(model, "a", steps=30), generation(model, "b", n=2, steps=30)
    driver.submit(model, first)
    await driver.step()
    assert len(calls.calls) == calls_before
    driver.submit(model, second)
    happens.add(len(calls.calls) + 5)
    await driver.step()
    assert [rows for _, rows, _ in calls.calls[-5:]] == [3] * 5
    driver.scheduler.cancel("b")
    happens.add(len(calls.calls) + 2)
    await driver.step()
    assert [rows for _, rows, _ in calls.calls[-2:]] == [1] * 2
    await driver.run()
    driver.survives(directory, first)


@pytest.mark.parametrize("threads", [0, 1])
async def test_runs_that_end_anywhere_make_the_same_samples(tmp_path: Path, threads: int) -> None:
    rng = np.random.default_rng(5)
    asked = list[tuple[Path, Generation]]()
    directories = [denoiser_bundle(tmp_path), steps_bundle(tmp_path), ending_bundle(tmp_path)]
    with ThreadPoolExecutor(1) as pool:
        driver = Driver(ahead=pool if threads else None, interrupted=lambda: bool(rng.integers(4) == 0))
        for number in range(24):
            if number % 8 == 0:
                directory = directories[number // 8]
                model = engine_model(directory, row_cost_s=1e-4)
            words: dict[str, Any] = {"steps": int(rng.integers(1, 40))}
            if number < 8:
                words |= {"sampler": str(rng.choice(["ddpm", "euler-ancestral", "ddim"])), "guidance": 2.0}
            request = generation(model, str(number), n=int(rng.integers(1, 4)), seed=number, index=number, **words)
            driver.submit(model, request)
            for _ in range(int(rng.integers(3))):
                await driver.step()
            if number % 8 == 7:
                await driver.run()
            asked.append((directory, request))
    for directory, request in asked:
        driver.survives(directory, request)


class Moody(Recorded):
    """A runtime whose calls fail when told to."""

    bad: int = -1  # number of the call that fails, once

    def run(
        self, graph: str, slots: Any, bucket: int, host: Arrays, reads: Pairs, writes: Pairs
    ) -> dict[str, np.ndarray]:
        """See `SlotRuntime`."""
        if len(self.calls) == self.bad:
            self.bad = -1
            raise RuntimeFailed("now")
        return super().run(graph, slots, bucket, host, reads, writes)


async def test_a_call_that_fails_in_a_run_is_made_again_by_a_plan_of_its_own(tmp_path: Path) -> None:
    directory = steps_bundle(tmp_path)
    model = engine_model(directory, row_cost_s=1e-4)
    moody = Moody(model.runtime)
    moody.bad = 4
    model, driver = replace(model, runtime=moody), Driver()
    request = generation(model, "a", n=3, steps=10)
    driver.submit(model, request)
    await driver.run()
    driver.survives(directory, request)
    assert len(driver.plans) > 2


def test_a_row_that_fails_in_a_run_ends_it_and_fails_alone() -> None:
    def fails(row: Any) -> BroodError | None:
        bad = row.job.generation.request_id == "bad" and row.step == 3
        return RuntimeFailed("no", index=row.index) if bad else None

    where, model = paper(fails=fails), paper_model(costs=dict.fromkeys(("step", "finish"), SHORT))
    where.submit(model, "bad", steps=9)
    where.submit(model, "good", steps=9)
    plans = lengths(where)
    assert plans[:2] == [("step", 2, 9), ("step", 1, 5)]
    assert isinstance(where.ending("bad"), Failed)
    ending = where.ending("good")
    assert isinstance(ending, Done)
    assert ending.usage.steps == 10


def test_a_later_time_ends_a_run(tmp_path: Path) -> None:
    model, scheduler = engine_model(steps_bundle(tmp_path), row_cost_s=1e-4), Scheduler()
    Driver(scheduler=scheduler).submit(model, generation(model, "a", steps=30, deadline=0.5))
    plan = scheduler.plan(0.0)
    assert plan is not None
    times = iter([0.0, plan.until - 0.001, plan.until - 0.0001, plan.until, plan.until])
    assert Executor(clock=lambda: next(times)).execute(plan).steps == 3
