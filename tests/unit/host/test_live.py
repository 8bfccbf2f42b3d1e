"""Models come, go and change while requests run: none fails, and nothing stays in memory."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from brood.host.host import Host, HostOptions
from brood.host.shelf import LINGER_S, RELOAD_FAILED
from brood.protocol.errors import BundleError, ModelNotFound, ModelUnavailable, NotReady
from brood.protocol.events import Accepted, Done, Event, Progress, Sample
from brood.store.wanted import parse_versions, wanted
from helpers.bundles import edit_manifest, once_bundle, relist, steps_bundle
from helpers.clock import loop_clock
from helpers.engine import engine_model, generation, oracle
from helpers.hanging import LIMIT_S
from helpers.quiet import Quiet
from helpers.stores import served_over_http

LATEST = wanted({"": parse_versions("latest")})
MANY = 4000  # steps of a request that runs for a while


class Paused(Quiet):
    """Holds the engine after a graph call until the test lets it go on."""

    def __init__(self) -> None:
        self._go_on = threading.Event()

    def stepped(self, model: str, graph: str, rows: int, bucket: int, calls: int, seconds: float, error: float) -> None:
        assert self._go_on.wait(LIMIT_S)

    def go_on(self) -> None:
        """Hold no call any longer."""
        self._go_on.set()


@asynccontextmanager
async def hosting(options: HostOptions, observer: Quiet | None = None) -> AsyncIterator[Host]:
    """A host that is loaded."""
    host = Host(options, observer or Quiet())
    await host.start()
    try:
        yield host
    finally:
        await host.stop()


def held(host: Host, name: str, version: int = 1) -> weakref.ref[object]:
    """What keeps a model's graphs and memory."""
    ready = host._shelf.ready((name, version))
    assert ready is not None
    return weakref.ref(ready.engine.runtime)


def told(host: Host) -> list[tuple[str, int, str, str]]:
    """Name, version, state and reason of all models."""
    return [(status.name, status.version, status.state, status.reason) for status in host.models()]


async def until(what: Callable[[], bool]) -> None:
    """Let the loop run until something holds."""
    async with asyncio.timeout(10):
        for _ in count():
            if what():
                return
            await asyncio.sleep(0)


@pytest.fixture(autouse=True)
def _no_collection() -> Iterator[None]:
    """What is not needed any more must go by itself: nobody knows when garbage is collected."""
    gc.disable()
    yield
    gc.enable()


async def test_what_is_unloaded_is_freed_when_its_last_request_is_over(tmp_path: Path) -> None:
    directory = steps_bundle(tmp_path)
    request = generation(engine_model(directory), "a", steps=MANY, words={"progress_every": 1})
    paused = Paused()
    async with hosting(HostOptions(models=tmp_path), paused) as host:
        reference = held(host, "steps")
        events = host.submit(request)
        assert isinstance(await anext(events), Accepted)
        await host.unload("steps")
        assert reference() is not None
        paused.go_on()
        with pytest.raises(ModelUnavailable):
            host.submit(replace(request, request_id="b"))
        rest = [event async for event in events]
        assert isinstance(rest[-1], Done)
        assert np.array_equal(sample(rest)["image"], oracle(directory, request, 0)["image"])
        await until(lambda: reference() is None)


def sample(events: list[Event]) -> dict[str, np.ndarray]:
    """The outputs of the one sample among events."""
    (found,) = [event for event in events if isinstance(event, Sample)]
    return dict(found.outputs)


@pytest.mark.parametrize("end", ["closed", "cancelled", "never"])
async def test_nothing_is_held_however_requests_end(tmp_path: Path, end: str) -> None:
    request = generation(engine_model(steps_bundle(tmp_path)), "a", n=20, steps=MANY, words={"progress_every": 1})
    async with hosting(HostOptions(models=tmp_path)) as host:
        reference = held(host, "steps")
        if end != "never":
            events = host.submit(request)
            assert isinstance(await anext(events), Accepted)
            assert isinstance(await anext(events), Progress)
        await host.unload("steps")
        if end == "closed":
            await events.aclose()
        if end == "cancelled":
            assert host.cancel("a")
            assert [event async for event in events]
        await until(lambda: reference() is None)


async def test_a_reload_under_the_same_number_frees_the_old_and_leaves_its_requests_alone(tmp_path: Path) -> None:
    directory = steps_bundle(tmp_path)
    request = generation(engine_model(directory), "a", steps=MANY, words={"progress_every": 1})
    before, paused = oracle(directory, request, 0)["image"], Paused()
    async with hosting(HostOptions(models=tmp_path), paused) as host:
        reference = held(host, "steps")
        events = host.submit(request)
        assert isinstance(await anext(events), Accepted)
        # One slot instead of many, and other numbers: nothing of the one is mistaken for the other's.
        edit_manifest(directory, shrink)
        content = (directory / "finish.json").read_bytes()
        relist(directory, "finish.json", content.replace(b"0.25", b"0.5"))
        edit_manifest(directory, lambda words: words.update(golden=[]))
        await host.reload("steps")
        assert reference() is not None
        paused.go_on()
        short = replace(request, request_id="b", params={**request.params, "steps": 3}, n=12)
        after = [event async for event in host.submit(short)]
        assert isinstance(after[-1], Done)
        for event in after:
            if isinstance(event, Sample):
                assert np.array_equal(event.outputs["image"], oracle(directory, short, event.index)["image"])
        rest = [event async for event in events]
        assert np.array_equal(sample(rest)["image"], before)
        await until(lambda: reference() is None)
        assert isinstance([event async for event in host.submit(replace(short, request_id="c"))][-1], Done)


def shrink(words: dict[str, dict[str, dict[str, object]]]) -> None:
    """Largest call of one row."""
    for graph in words["graphs"].values():
        graph["buckets"] = [1]


async def test_a_new_version_takes_over_without_a_request_that_fails(tmp_path: Path) -> None:
    once_bundle(tmp_path)
    once_bundle(tmp_path / "aside", version=2)
    request = generation(engine_model(tmp_path / "once" / "1"), "first")
    async with hosting(HostOptions(models=tmp_path, wanted=LATEST)) as host:
        reference, numbers, versions = held(host, "once"), count(), set[int]()

        async def ask() -> None:
            """As the data plane does: the newest that is ready is chosen, and asked a little later."""
            version = max(status.version for status in host.models() if status.state == "ready")
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            order = replace(request, request_id=str(next(numbers)), version=version)
            events = [event async for event in host.submit(order)]
            assert isinstance(events[-1], Done)
            versions.add(version)

        (tmp_path / "aside" / "once" / "2").rename(tmp_path / "once" / "2")
        change = asyncio.create_task(host.load("once"))
        while not change.done():
            await asyncio.gather(*(ask() for _ in range(8)))
        await change
        await asyncio.gather(*(ask() for _ in range(8)))
        assert versions == {1, 2}
        assert [(version, state) for _, version, state, _ in told(host)] == [(1, "unloaded"), (2, "ready")]
        with loop_clock() as clock:
            clock.skip(LINGER_S + 1)
            await until(lambda: reference() is None)
        with pytest.raises(ModelUnavailable):
            host.submit(replace(request, request_id="late"))


async def test_single_versions_are_loaded_and_unloaded(tmp_path: Path) -> None:
    for version in (1, 2, 3):
        once_bundle(tmp_path, version=version)
    async with hosting(HostOptions(models=tmp_path, wanted=LATEST)) as host:
        await host.load("once", 1)
        assert [(version, state) for _, version, state, _ in told(host)] == [(1, "ready"), (3, "ready")]
        await host.unload("once", 3)
        await host.settled(host.wanted.revision)
        assert [(version, state) for _, version, state, _ in told(host)] == [
            (1, "ready"),
            (2, "ready"),
            (3, "unloaded"),
        ]
        with pytest.raises(ModelNotFound, match=r"version: once has no version 4 in the store; there are: 1, 2, 3"):
            await host.load("once", 4)
        with pytest.raises(ModelNotFound, match=r"version: once has no version 9 here; there are: 1, 2, 3"):
            await host.unload("once", 9)
        with pytest.raises(ModelNotFound, match='there is no "nobody" in the store'):
            await host.reload("nobody")


async def test_a_reload_that_does_not_work_says_so_and_what_was_loaded_serves(tmp_path: Path) -> None:
    directory = once_bundle(tmp_path)
    request = generation(engine_model(directory), "a")
    async with hosting(HostOptions(models=tmp_path)) as host:
        edit_manifest(directory, lambda words: words.update(colour=1))
        with pytest.raises(ModelUnavailable, match=r"once 1: reload failed.*colour: unknown key"):
            await host.reload("once", 1)
        ((_, _, state, reason),) = told(host)
        assert state == "ready"
        assert reason.startswith(RELOAD_FAILED)
        assert isinstance([event async for event in host.submit(request)][-1], Done)


async def test_models_come_from_a_url(tmp_path: Path) -> None:
    directory = once_bundle(tmp_path / "root")
    request = generation(engine_model(directory), "a")
    with served_over_http(tmp_path / "root") as (url, _):
        async with hosting(HostOptions(models=url, cache_dir=tmp_path / "cache")) as host:
            assert told(host) == [("once", 1, "ready", "")]
            events = [event async for event in host.submit(request)]
            assert np.array_equal(sample(events)["image"], oracle(directory, request, 0)["image"])
            once_bundle(tmp_path / "root", version=2)
            await host.load("once")
            assert [version for _, version, _, _ in told(host)] == [1, 2]
    assert sorted(path.name for path in (tmp_path / "cache").iterdir()) == ["bundles", "certificates"]


async def test_without_its_store_a_host_starts_and_says_what_is_wrong(tmp_path: Path) -> None:
    with served_over_http(tmp_path) as (url, _):
        pass
    host = Host(HostOptions(models=url, cache_dir=tmp_path / "cache"), Quiet())
    starting = asyncio.create_task(host.start())
    await until(lambda: bool(host.problems()))
    (problem,) = host.problems()
    assert problem.startswith(f"store: {url}: ClientConnectorError")
    assert (host.alive, host.models(), starting.done()) == (True, [], False)
    with pytest.raises(NotReady, match="the store cannot be read"):
        await host.load("once")
    starting.cancel()
    await asyncio.wait([starting])
    await host.stop()


async def test_a_url_needs_a_place_for_its_bundles() -> None:
    host = Host(HostOptions(models="memory://bundles"), Quiet())
    with pytest.raises(BundleError, match="set cache_dir"):
        await host.start()
    await host.stop()


async def test_before_its_start_a_host_follows_nothing(tmp_path: Path) -> None:
    host = Host(HostOptions(models=tmp_path, wanted=LATEST), Quiet())
    assert (host.wanted, host.problems()) == (LATEST, ())
    with pytest.raises(NotReady, match="has not been started"):
        host.reconcile(LATEST)
    await host.stop()


async def test_a_directory_steers_a_host(tmp_path: Path) -> None:
    """As in a cluster: one value, made elsewhere, that every host follows."""
    for name in ("one", "two"):
        once_bundle(tmp_path, name=name)
    owner = LATEST
    async with hosting(HostOptions(models=tmp_path, wanted=owner.only(["one"]))) as host:
        assert [name for name, _, _, _ in told(host)] == ["one"]
        owner = owner.after("load", "two").after("unload", "one")
        host.reconcile(owner.only(["one", "two"]))
        await host.settled(owner.revision)
        assert [(name, state) for name, _, state, _ in told(host)] == [("one", "unloaded"), ("two", "ready")]


async def test_a_host_stops_while_it_loads(tmp_path: Path) -> None:
    for number in range(20):
        once_bundle(tmp_path, name=f"m{number}")
    host = Host(HostOptions(models=tmp_path), Quiet())
    starting = asyncio.create_task(host.start())
    await until(lambda: any(status.state == "ready" for status in host.models()))
    starting.cancel()
    async with asyncio.timeout(10):
        await host.stop()
    assert any(status.state == "loading" for status in host.models())
    assert not host.alive


async def test_a_model_that_was_not_named_is_loaded_when_it_is_asked_for(tmp_path: Path) -> None:
    for name in ("one", "two"):
        once_bundle(tmp_path, name=name)
    async with hosting(HostOptions(models=tmp_path, wanted=wanted({}, ["one"]))) as host:
        assert [name for name, _, _, _ in told(host)] == ["one"]
        await host.load("two")
        assert [(name, state) for name, _, state, _ in told(host)] == [("one", "ready"), ("two", "ready")]
