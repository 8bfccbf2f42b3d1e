"""The engine in its event loop, with its threads and channels."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from brood.engine.loop import Engine, EngineOptions
from brood.engine.model import EngineModel
from brood.protocol.errors import (
    Cancelled,
    DeadlineExceeded,
    DeadlineInfeasible,
    InvalidArgument,
    NotReady,
    Overloaded,
    RuntimeFailed,
)
from brood.protocol.events import Accepted, Done, Event, Failed, Preview, Progress, Sample
from brood.protocol.requests import Generation
from helpers.bundles import once_bundle, steps_bundle
from helpers.denoisers import denoiser_bundle
from helpers.engine import engine_model, generation, oracle
from helpers.hanging import Hanging, hanging

HANGS = {"input": "label", "equals": 9}
QUICK = EngineOptions(hang_s=0.01)


class Counter:
    """Counts what the engine does."""

    def __init__(self) -> None:
        self.rows, self.calls, self.wasted_s = 0, 0, 0.0
        self.queue: list[tuple[int, float]] = []
        self.errors: list[float] = []

    def stepped(self, model: str, graph: str, rows: int, bucket: int, calls: int, seconds: float, error: float) -> None:
        assert 0 < rows <= bucket
        assert seconds >= 0
        self.rows += calls * rows
        self.calls += calls
        self.errors.append(error)

    def queued(self, rows: int, backlog_s: float) -> None:
        self.queue.append((rows, backlog_s))

    def wasted(self, seconds: float) -> None:
        assert seconds > 0
        self.wasted_s += seconds


@asynccontextmanager
async def running(counter: Counter | None = None, options: EngineOptions | None = None) -> AsyncIterator[Engine]:
    """An engine that runs."""
    engine = Engine(counter or Counter(), options or EngineOptions())
    engine.start()
    try:
        yield engine
    finally:
        await engine.stop()


async def collect(engine: Engine, model: EngineModel, request: Generation) -> list[Event]:
    return [event async for event in engine.submit(request, model, "exact")]


def error_of(events: list[Event]) -> Exception:
    assert isinstance(events[-1], Failed)
    return events[-1].error


async def test_events_come_in_order_and_end(tmp_path: Path) -> None:
    counter, model = Counter(), engine_model(once_bundle(tmp_path), row_cost_s=0.001)
    async with running(counter) as engine:
        events = await collect(engine, model, generation(model, "a", n=20))
    assert [type(event) for event in events] == [Accepted, *[Sample] * 20, Done]
    assert events[0] == Accepted("a", "once", 1, "generate", 7, 20, "exact")
    assert counter.rows == 20
    (first_rows, first_s), (last_rows, last_s) = max(counter.queue), counter.queue[-1]
    assert (first_rows, last_rows) == (20, 0)
    assert first_s == pytest.approx(20 * 0.001 * 3 / 8)
    assert last_s == pytest.approx(0.0)
    assert len(counter.errors) == 3
    assert counter.wasted_s == 0.0


async def test_leaving_the_iterator_cancels(tmp_path: Path) -> None:
    counter, model = Counter(), engine_model(steps_bundle(tmp_path))
    async with running(counter) as engine:
        for begun in (True, False):
            stream = engine.submit(generation(model, f"a{begun}", n=1, steps=10_000), model, "exact")
            if begun:
                await anext(stream)
                waiting = asyncio.ensure_future(anext(stream))
                await asyncio.sleep(0)
                waiting.cancel()
            await stream.aclose()
            assert not engine.cancel(f"a{begun}")
        events = await collect(engine, model, generation(model, "b", steps=2))
    assert isinstance(events[-1], Done)
    assert counter.rows < 10_000


async def test_cancel_by_id_ends_the_stream(tmp_path: Path) -> None:
    model = engine_model(steps_bundle(tmp_path))
    async with running() as engine:
        stream = engine.submit(generation(model, "a", steps=10_000), model, "exact")
        assert engine.cancel("a")
        assert isinstance(error_of([event async for event in stream]), Cancelled)
        assert not engine.cancel("a")


async def test_what_cannot_be_let_in_is_refused_before_any_event(tmp_path: Path) -> None:
    once, steps = engine_model(once_bundle(tmp_path)), engine_model(steps_bundle(tmp_path))
    async with running(options=EngineOptions(max_backlog_s=0.01, max_held_bytes=2**16)) as engine:
        first = engine.submit(generation(once, "a", n=30), once, "exact")
        with pytest.raises(Overloaded, match="s of work are waiting") as refused:
            engine.submit(generation(once, "b"), once, "exact")
        assert refused.value.retry_after_s is not None
        assert refused.value.retry_after_s > 0
        with pytest.raises(InvalidArgument, match="n: 5000"):
            engine.submit(generation(once, "c", n=5000), once, "exact")
        assert isinstance([event async for event in first][-1], Done)
        with pytest.raises(DeadlineInfeasible, match="deadline_ms"):
            engine.submit(generation(once, "d", deadline=engine.now() - 1.0), once, "exact")
        with pytest.raises(InvalidArgument, match="steps"):
            engine.submit(generation(steps, "e", steps=0), steps, "exact")
        assert isinstance((await collect(engine, once, generation(once, "f")))[-1], Done)


async def test_stopping_fails_what_is_left_and_refuses_more(tmp_path: Path) -> None:
    model = engine_model(steps_bundle(tmp_path))
    engine = Engine(Counter(), EngineOptions())
    with pytest.raises(NotReady, match="not running"):
        engine.submit(generation(model, "early"), model, "exact")
    engine.start()
    stream = engine.submit(generation(model, "a", steps=10_000), model, "exact")
    await engine.stop()
    assert isinstance(error_of([event async for event in stream]), NotReady)
    with pytest.raises(NotReady):
        engine.submit(generation(model, "late"), model, "exact")


async def test_a_broken_observer_leaves_nobody_waiting(tmp_path: Path) -> None:
    class Broken(Counter):
        def stepped(
            self, model: str, graph: str, rows: int, bucket: int, calls: int, seconds: float, error: float
        ) -> None:
            raise RuntimeError("observer")

    model = engine_model(steps_bundle(tmp_path))
    async with running(Broken()) as engine:
        events = await collect(engine, model, generation(model, "a", steps=3))
        assert str(error_of(events)) == "the engine stopped: RuntimeError"
    assert not engine.alive


async def test_progress_and_previews_reach_the_caller(tmp_path: Path) -> None:
    directory = denoiser_bundle(tmp_path)
    model = engine_model(directory)
    words = {"progress_every": 2, "preview_every": 3}
    request = generation(model, "a", n=2, steps=8, guidance=2.0, words=words)
    async with running() as engine:
        events = await collect(engine, model, request)
    progress = [event for event in events if isinstance(event, Progress)]
    assert [(event.steps, event.of) for event in progress] == [(4, 16), (8, 16), (12, 16)]
    assert all(event.eta_s > 0 for event in progress)
    assert progress[-1].eta_s < 3 * progress[0].eta_s
    shown = [event for event in events if isinstance(event, Preview)]
    assert [(event.index, event.step, event.of) for event in shown] == [(0, 3, 8), (1, 3, 8), (0, 6, 8), (1, 6, 8)]
    assert isinstance(events[-1], Done)
    for sample in (event for event in events if isinstance(event, Sample)):
        assert np.array_equal(sample.outputs["image"], oracle(directory, request, sample.index)["image"])


async def test_a_call_that_was_held_back_is_made_in_time(tmp_path: Path) -> None:
    """Nothing else happens that would wake the engine."""
    counter, model = Counter(), engine_model(once_bundle(tmp_path))
    async with running(counter, EngineOptions(max_wait_s=0.01)) as engine:
        events = await collect(engine, model, generation(model, "a"))
    assert isinstance(events[-1], Done)
    assert counter.calls == 1


async def test_a_call_that_is_full_is_not_held_back(tmp_path: Path) -> None:
    counter, model = Counter(), engine_model(once_bundle(tmp_path))
    async with running(counter, EngineOptions(max_wait_s=3600.0)) as engine:
        both = [collect(engine, model, generation(model, name, n=4)) for name in "ab"]
        assert all(isinstance(events[-1], Done) for events in await asyncio.gather(*both))
    assert counter.calls == 1


Started = tuple[Engine, EngineModel, Hanging, Counter]


@asynccontextmanager
async def stuck(tmp_path: Path, bundle: Callable[..., Path] = once_bundle, **words: Any) -> AsyncIterator[Started]:
    """An engine whose device hangs in a call for request ``stuck``."""
    counter, model = Counter(), engine_model(bundle(tmp_path, hangs_on=HANGS))
    with hanging() as held:
        async with running(counter, QUICK) as engine:
            stream = engine.submit(generation(model, "stuck", label=9, **words), model, "exact")
            await asyncio.to_thread(held.wait_for_call)
            waiting = asyncio.create_task(_rest(stream))
            yield engine, model, held, counter
            held.let_go()
            await waiting


async def _rest(stream: Any) -> list[Event]:
    return [event async for event in stream]


async def until(condition: Callable[[], bool]) -> None:
    """Let the event loop run until something is so; many turns later it never will be."""
    for _ in range(10**7):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("it is still not so")


async def test_a_call_that_hangs_fails_its_requests_and_others_are_refused_until_it_is_back(tmp_path: Path) -> None:
    counter, model = Counter(), engine_model(once_bundle(tmp_path, hangs_on=HANGS))
    with hanging() as held:
        async with running(counter, QUICK) as engine:
            stream = engine.submit(generation(model, "stuck", label=9), model, "exact")
            await asyncio.to_thread(held.wait_for_call)
            queued = engine.submit(generation(model, "queued", label=1), model, "exact")
            error = error_of([event async for event in stream])
            assert isinstance(error, RuntimeFailed)
            assert str(error).startswith("the graph call did not end within 0.0")
            before = engine.alive
            with pytest.raises(NotReady, match="the device does not answer"):
                engine.submit(generation(model, "refused", label=1), model, "exact")
            held.let_go()
            assert isinstance([event async for event in queued][-1], Done)
            assert (before, engine.alive) == (False, True)
            assert isinstance((await collect(engine, model, generation(model, "again", label=1)))[-1], Done)
    assert counter.wasted_s > 0


async def test_deadlines_pass_while_a_call_hangs(tmp_path: Path) -> None:
    async with stuck(tmp_path) as (engine, model, _, _):
        stream = engine.submit(generation(model, "late", label=1, deadline=engine.now() + 0.05), model, "exact")
        assert isinstance(error_of([event async for event in stream]), DeadlineExceeded)
        assert not engine.alive


async def test_an_engine_whose_device_hangs_can_be_stopped(tmp_path: Path) -> None:
    model = engine_model(once_bundle(tmp_path, hangs_on=HANGS))
    with hanging() as held:
        engine = Engine(Counter(), QUICK)
        engine.start()
        stream = engine.submit(generation(model, "stuck", label=9), model, "exact")
        await asyncio.to_thread(held.wait_for_call)
        queued = engine.submit(generation(model, "queued", label=1), model, "exact")
        await until(lambda: not engine.alive)
        await engine.stop()
        assert isinstance(error_of([event async for event in stream]), RuntimeFailed)
        assert isinstance(error_of([event async for event in queued]), NotReady)


async def test_cancelling_during_a_step_costs_no_further_step(tmp_path: Path) -> None:
    async with stuck(tmp_path, denoiser_bundle, n=3, steps=1000) as (engine, model, held, counter):
        assert engine.cancel("stuck")
        held.let_go()
        assert isinstance((await collect(engine, model, generation(model, "b", steps=4)))[-1], Done)
        assert counter.rows == 3 + 4
        assert counter.wasted_s > 0


async def test_the_backlog_is_told_by_class(tmp_path: Path) -> None:
    async with stuck(tmp_path) as (engine, model, _, _):
        words = {"priority": "bulk"}
        waiting = engine.submit(generation(model, "later", n=8, label=1, words=words), model, "exact")
        backlog_s = engine.backlog_s
        assert set(backlog_s) == {"interactive", "bulk"}
        assert backlog_s["bulk"] == pytest.approx(8 * backlog_s["interactive"])
        await waiting.aclose()
        assert engine.backlog_s["bulk"] == pytest.approx(0.0)
