"""Workers and ingresses, and a directory that may die."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from brood.protocol.models import ModelStatus
from brood.serve import directory as module
from brood.serve import follow
from brood.serve.directory import Directory, Glance, base_of
from brood.serve.follow import Reporter, Watcher
from brood.serve.register import Orders, Place, Report, View
from brood.store.wanted import Wanted

WANTED = Wanted()


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ANSWER_S", 0.05)
    monkeypatch.setattr(module, "LISTEN_S", 0.0)
    monkeypatch.setattr(follow, "AGAIN_S", 0.01)


class FakeWorker:
    def __init__(self) -> None:
        self.done = 0
        self.followed: list[Wanted] = []

    def models(self) -> tuple[ModelStatus, ...]:
        return (ModelStatus("m", 1, "ready"),)

    def problems(self) -> tuple[str, ...]:
        return ()

    def follow(self, wanted: Wanted) -> None:
        self.followed.append(wanted)
        self.done = wanted.revision


class Town:
    """A directory that can be replaced, a worker and an ingress."""

    def __init__(self) -> None:
        self.worker = FakeWorker()
        self.directory: Directory | None = Directory(WANTED, dict)
        self.views: asyncio.Queue[View] = asyncio.Queue()
        place = Place("one", "a", "127.0.0.1:1", "127.0.0.1", "now")
        self.reporter = Reporter(place, base_of(WANTED), self.worker, self._report)
        self.watcher = Watcher("ingress", lambda: 0, self._take, self._watch)

    async def view_of(self, worker: str) -> View:
        while True:
            view = await self.views.get()
            if worker in view.workers:
                return view

    async def _take(self, view: View) -> None:
        self.views.put_nowait(view)

    async def _report(self, report: Report) -> Orders:
        return await self._there().report(report)

    async def _watch(self, glance: Glance) -> View:
        return await self._there().watch(glance)

    def _there(self) -> Directory:
        if self.directory is None:
            raise ConnectionError("the actor is dead")
        return self.directory


@pytest_asyncio.fixture
async def town() -> AsyncIterator[Town]:
    town = Town()
    town.reporter.start()
    town.watcher.start()
    yield town
    await town.reporter.stop()
    await town.watcher.stop()


async def test_an_ingress_hears_of_a_worker_and_its_models(town: Town) -> None:
    await town.reporter.registered.wait()
    view = await town.view_of("one")
    assert view.workers["one"].address == "127.0.0.1:1"
    assert [model.name for model in view.expected] == ["m"]


async def test_a_worker_follows_what_is_wanted(town: Town) -> None:
    assert town.directory is not None
    await town.view_of("one")
    await town.directory.change("unload", "m", None, 5.0)
    assert town.worker.followed == [WANTED, WANTED.after("unload", "m")]


async def test_a_new_directory_is_told_what_the_last_one_knew(town: Town) -> None:
    assert town.directory is not None
    await town.view_of("one")
    await town.directory.change("load", "m", None, 5.0)
    town.directory = None
    await asyncio.sleep(0.05)
    town.directory = Directory(WANTED, dict)
    while not town.views.empty():
        town.views.get_nowait()
    view = await town.view_of("one")
    while view.memory.wanted.revision == 0:
        view = await town.view_of("one")
    assert view.memory.wanted == WANTED.after("load", "m")
    assert [model.name for model in view.expected] == ["m"]
    assert town.worker.followed == [WANTED, WANTED.after("load", "m")]
    assert town.watcher.alive


async def test_news_are_told_before_the_answer_to_the_last_report() -> None:
    asked: list[Report] = []
    told = asyncio.Event()

    async def never(report: Report) -> Orders:
        asked.append(report)
        if len(asked) == 2:
            told.set()
        await asyncio.Event().wait()
        raise AssertionError

    worker = FakeWorker()
    reporter = Reporter(Place("one", "a", "127.0.0.1:1", "127.0.0.1", "now"), "base", worker, never)
    reporter.start()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    worker.done = 7
    reporter.tell()
    await told.wait()
    assert asked[1].done == 7
    assert asked[1].models == worker.models()
    await reporter.stop()
