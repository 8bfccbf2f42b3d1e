"""The engine in its event loop, with its thread and channels."""

import asyncio
from pathlib import Path

import pytest

from brood.engine.loop import Engine
from brood.engine.model import EngineModel
from brood.protocol.errors import Cancelled, NotReady, Overloaded
from brood.protocol.events import Accepted, Done, Event, Failed, Sample
from brood.protocol.requests import Generation
from helpers.bundles import once_bundle, steps_bundle
from helpers.engine import engine_model, generation


class Counter:
    """Counts what the engine does."""

    def __init__(self) -> None:
        self.rows = 0
        self.waiting: list[int] = []

    def stepped(self, model: str, graph: str, rows: int, bucket: int, seconds: float) -> None:
        assert 0 < rows <= bucket
        assert seconds >= 0
        self.rows += rows

    def queued(self, rows: int) -> None:
        self.waiting.append(rows)


async def collect(engine: Engine, model: EngineModel, request: Generation) -> list[Event]:
    return [event async for event in engine.submit(request, model, "exact")]


async def test_events_come_in_order_and_end(tmp_path: Path) -> None:
    counter, model = Counter(), engine_model(once_bundle(tmp_path))
    engine = Engine(counter, 100)
    engine.start()
    events = await collect(engine, model, generation(model, "a", n=20))
    assert [type(event) for event in events] == [Accepted, *[Sample] * 20, Done]
    assert events[0] == Accepted("a", "once", 1, "generate", 7, 20, "exact")
    assert counter.rows == 20
    assert counter.waiting[0] == 20
    assert counter.waiting[-1] == 0
    await engine.stop()


async def test_leaving_the_iterator_cancels(tmp_path: Path) -> None:
    counter, model = Counter(), engine_model(steps_bundle(tmp_path))
    engine = Engine(counter, 100)
    engine.start()
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
    await engine.stop()


async def test_cancel_by_id_ends_the_stream(tmp_path: Path) -> None:
    model = engine_model(steps_bundle(tmp_path))
    engine = Engine(Counter(), 100)
    engine.start()
    stream = engine.submit(generation(model, "a", steps=10_000), model, "exact")
    assert engine.cancel("a")
    events = [event async for event in stream]
    assert isinstance(events[-1], Failed)
    assert isinstance(events[-1].error, Cancelled)
    assert not engine.cancel("a")
    await engine.stop()


async def test_a_full_queue_refuses_with_the_time_to_come_back(tmp_path: Path) -> None:
    model = engine_model(once_bundle(tmp_path))
    engine = Engine(Counter(), 10)
    engine.start()
    first = engine.submit(generation(model, "a", n=30), model, "exact")
    with pytest.raises(Overloaded, match="30 samples are waiting") as refused:
        engine.submit(generation(model, "b"), model, "exact")
    assert refused.value.retry_after_s is not None
    assert refused.value.retry_after_s > 0
    assert isinstance([event async for event in first][-1], Done)
    await engine.stop()


async def test_stopping_fails_what_is_left_and_refuses_more(tmp_path: Path) -> None:
    model = engine_model(steps_bundle(tmp_path))
    engine = Engine(Counter(), 100)
    with pytest.raises(NotReady):
        engine.submit(generation(model, "early"), model, "exact")
    engine.start()
    stream = engine.submit(generation(model, "a", steps=10_000), model, "exact")
    await engine.stop()
    events = [event async for event in stream]
    assert isinstance(events[-1], Failed)
    assert isinstance(events[-1].error, NotReady)
    with pytest.raises(NotReady):
        engine.submit(generation(model, "late"), model, "exact")


async def test_a_broken_observer_leaves_nobody_waiting(tmp_path: Path) -> None:
    class Broken(Counter):
        def stepped(self, model: str, graph: str, rows: int, bucket: int, seconds: float) -> None:
            raise RuntimeError("observer")

    model = engine_model(once_bundle(tmp_path))
    engine = Engine(Broken(), 100)
    engine.start()
    events = await collect(engine, model, generation(model, "a"))
    assert isinstance(events[-1], Failed)
    assert events[-1].error.message == "the engine stopped: RuntimeError"
    await engine.stop()
    assert not engine.alive
