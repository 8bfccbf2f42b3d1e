"""Several calls at once: the same samples, told in order, and no lane idle while another could share."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from brood.engine.cost import CostModel
from brood.engine.loop import Engine, EngineOptions
from brood.engine.model import EngineModel
from brood.engine.rows import make_job
from brood.engine.scheduler import Scheduler
from brood.protocol.events import Done, Event, Failed, Sample
from brood.protocol.requests import Generation
from brood.runtimes.base import Arrays
from brood.runtimes.slots import Pairs
from helpers.bundles import once_bundle, steps_bundle
from helpers.denoisers import denoiser_bundle
from helpers.endings import ending_bundle
from helpers.engine import Recorded, engine_model, generation, oracle
from helpers.hanging import hanging
from helpers.paper import Paper, linear, paper_job, paper_model
from helpers.quiet import Quiet

LIMIT_S = 20.0
TURNS = 500  # of the event loop, within which all requests come
TWO = EngineOptions(lanes=2)


class Meeting(Recorded):
    """A runtime in which two calls wait for each other."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.met, self._barrier = 0, threading.Barrier(2)

    def run(
        self, graph: str, slots: Sequence[int], bucket: int, host: Arrays, reads: Pairs, writes: Pairs
    ) -> dict[str, np.ndarray]:
        """See `SlotRuntime`."""
        self._barrier.wait(LIMIT_S)
        self.met += 1
        return super().run(graph, slots, bucket, host, reads, writes)


async def collect(engine: Engine, model: EngineModel, request: Generation) -> list[Event]:
    return [event async for event in engine.submit(request, model, "exact")]


async def test_two_calls_are_made_at_once_and_free_lanes_share_what_there_is(tmp_path: Path) -> None:
    model = engine_model(once_bundle(tmp_path))
    meeting = Meeting(model.runtime)
    model = replace(model, runtime=meeting)
    engine = Engine(Quiet(), TWO)
    engine.start()
    await asyncio.wait_for(_wait_for_lanes(engine), LIMIT_S)
    events = await collect(engine, model, generation(model, "a", n=8))
    await engine.stop()
    assert isinstance(events[-1], Done)
    assert meeting.met == 2
    assert sorted(rows for _, rows, _ in meeting.calls) == [4, 4]


async def _wait_for_lanes(engine: Engine) -> None:
    """Until both have found nothing to do."""
    for _ in iter(lambda: engine._common.scheduler.idle < 2, False):
        await asyncio.sleep(0)


def _requests(root: Path, rng: np.random.Generator) -> list[tuple[Path, EngineModel, Generation]]:
    directories = [once_bundle(root), steps_bundle(root), denoiser_bundle(root), ending_bundle(root)]
    models = [engine_model(each, capacity=10) for each in directories]
    asked = []
    for number in range(80):
        kind = int(rng.integers(4))
        words: dict[str, Any] = {} if kind == 0 else {"steps": int(rng.integers(1, 25))}
        if kind == 2:
            words |= {"sampler": str(rng.choice(["ddpm", "ddim", "euler-ancestral"])), "guidance": 2.0}
        request = generation(models[kind], str(number), n=int(rng.integers(1, 9)), seed=number, index=number, **words)
        asked.append((directories[kind], models[kind], request))
    return asked


@pytest.mark.parametrize("lanes", [2, 3])
async def test_samples_are_the_same_and_told_before_the_end_whichever_lane_makes_them(
    tmp_path: Path, lanes: int
) -> None:
    rng = np.random.default_rng(lanes)
    asked = _requests(tmp_path, rng)
    gone = {int(each) for each in rng.integers(0, len(asked), 10)}
    engine = Engine(Quiet(), EngineOptions(lanes=lanes))
    engine.start()

    async def one(number: int) -> list[Event]:
        _, model, request = asked[number]
        for _ in range(rng.integers(TURNS)):
            await asyncio.sleep(0)
        stream, events = engine.submit(request, model, "exact"), list[Event]()
        async for event in stream:
            events.append(event)
            if number in gone and len(events) == 2:
                await stream.aclose()
        return events

    told = await asyncio.wait_for(asyncio.gather(*map(one, range(len(asked)))), LIMIT_S)
    scheduler = engine._common.scheduler
    await engine.stop()
    for number, events in enumerate(told):
        directory, _, request = asked[number]
        samples = [event for event in events if isinstance(event, Sample)]
        if number not in gone:
            assert isinstance(events[-1], Done)
            assert sorted(each.index for each in samples) == list(range(request.index, request.index + request.n))
        for each in samples[:2]:
            for name, array in oracle(directory, request, each.index).items():
                assert each.outputs[name].tobytes() == array.tobytes()
    assert not scheduler.jobs
    assert all(places.unused for places in scheduler._places.values())
    assert sum(scheduler.backlog_s.values()) == pytest.approx(0.0, abs=1e-9)


async def test_one_lane_that_hangs_is_the_whole_device(tmp_path: Path) -> None:
    model = engine_model(once_bundle(tmp_path, hangs_on={"input": "label", "equals": 9}))
    with hanging() as held:
        engine = Engine(Quiet(), EngineOptions(lanes=2, hang_s=0.01))
        engine.start()
        stuck = engine.submit(generation(model, "stuck", label=9), model, "exact")
        await asyncio.to_thread(held.wait_for_call)
        with suppress(TimeoutError):
            assert isinstance([event async for event in stuck][-1], Failed)
        states = [engine.alive]
        held.let_go()
        while not states[-1]:
            await asyncio.sleep(0)
            states.append(engine.alive)
        assert not states[0]
        assert isinstance((await collect(engine, model, generation(model, "good", label=1)))[-1], Done)
        await engine.stop()


def test_a_lane_that_waits_gets_half_of_the_rows_and_is_told_that_there_are_some() -> None:
    paper, model = Paper(Scheduler(lanes=2)), paper_model()
    paper.submit(model, "a", n=6, steps=3)
    paper.scheduler.idle = 1
    first = paper.begin()
    assert first is not None
    assert (first.size, paper.scheduler.more) == (3, True)
    paper.scheduler.idle = 0
    second = paper.begin()
    assert second is not None
    assert (second.size, paper.scheduler.more) == (3, False)
    assert not set(first.rows) & set(second.rows)
    assert paper.begin() is None
    for plan in (second, first):
        paper.finish(plan)
    assert paper.scheduler.more is False
    list(paper.run())
    assert isinstance(paper.ending("a"), Done)


def test_what_a_device_takes_is_shared_by_its_lanes_and_what_a_call_takes_is_not() -> None:
    costs = {"step": linear(1.0, 0.25), "finish": linear(1.0, 0.25)}
    one, two = CostModel(costs), CostModel(costs, lanes=2)
    assert two.seconds("step", 8) == one.seconds("step", 8)
    assert two.device_s("step", 8) == one.device_s("step", 8) / 2
    assert two.row_s("step") == one.row_s("step") / 2
    model = paper_model()
    wide = replace(
        model, costs=CostModel(dict.fromkeys(("encode", "step", "hot", "finish", "preview"), costs["step"]), 2)
    )
    alone = {name: paper_job(each, "a", n=16, steps=3) for name, each in (("one", model), ("two", wide))}
    assert alone["two"].alone_s == alone["one"].alone_s / 2
    assert paper_job(wide, "b", n=1, steps=3).alone_s == paper_job(model, "b", n=1, steps=3).alone_s
    assert make_job(alone["two"].generation, wide, 0.0).work_s == pytest.approx(alone["one"].work_s / 2)
