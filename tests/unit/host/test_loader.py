"""What is held follows what is wanted and what the store has, whatever happens to the store."""

from __future__ import annotations

import asyncio
import math
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import pytest

from brood.host import loader as module
from brood.host.loader import CHANGED, GONE, Loader
from brood.host.loading import ReadyModel, load_model
from brood.host.shelf import FORGET_S, RELOAD_FAILED, Shelf
from brood.protocol.errors import BundleError, Internal
from brood.protocol.models import ModelStatus
from brood.runtimes.base import RuntimeOptions
from brood.store.source import Found
from brood.store.store import Bundle
from brood.store.wanted import Wanted, parse_versions, wanted
from helpers.bundles import edit_manifest, flip_byte, once_bundle
from helpers.clock import LoopClock, loop_clock
from helpers.stores import SteeredStore

LATEST = wanted({"": parse_versions("latest")})


def load(bundle: Bundle) -> ReadyModel:
    """A ready model."""
    return load_model(bundle, RuntimeOptions(1))


@dataclass
class Loading:
    """A loader at work, and all that it told."""

    loader: Loader
    shelf: Shelf
    store: SteeredStore
    told: list[ModelStatus] = field(default_factory=list)

    def states(self) -> dict[tuple[str, int], str]:
        """Of all versions."""
        return {(status.name, status.version): status.state for status in self.shelf.statuses}

    def reason(self, version: int) -> str:
        """What is told of a version of the model ``once``."""
        status = self.shelf.status(("once", version))
        assert status is not None
        return status.reason

    async def resting(self) -> float:
        """Until all is done: seconds that it rests."""
        await until(lambda: self.loader._pause_s is not None)
        assert self.loader._pause_s is not None
        return self.loader._pause_s

    async def looks_again(self, clock: LoopClock) -> float:
        """Let the time of its rest pass, and wait until all is done: seconds that it rests then."""
        looks = self.store.looks
        clock.skip(await self.resting())
        await until(lambda: self.store.looks > looks)
        return await self.resting()

    async def change(self, value: Wanted) -> None:
        """Want something else, and wait for it."""
        self.loader.reconcile(value)
        await self.loader.settled(value.revision)


@asynccontextmanager
async def loading(
    root: Path,
    value: Wanted = LATEST,
    *,
    poll_s: float = 0.0,
    distant: bool = False,
    how: Callable[[Bundle], ReadyModel] = load,
    away: str = "",
) -> AsyncIterator[Loading]:
    """A loader over a store that the test steers."""
    told: list[ModelStatus] = []
    shelf, store = Shelf(told.append), SteeredStore(root, distant=distant)
    store.away = away
    loader = Loader(store, shelf, value, how, poll_s=poll_s)
    task = asyncio.create_task(loader.run())
    try:
        yield Loading(loader, shelf, store, told)
    finally:
        store.go.set()
        task.cancel()
        await asyncio.wait([task])
        await loader.ended()


async def until(what: Callable[[], bool]) -> None:
    """Let the loop run until something holds."""
    async with asyncio.timeout(20):
        for _ in count():
            if what():
                return
            await asyncio.sleep(0)


async def opening(store: SteeredStore) -> None:
    """Until a bundle is about to be opened."""
    await asyncio.to_thread(store.opening.acquire)


async def test_a_new_version_takes_the_place_of_the_old_when_it_is_ready(tmp_path: Path) -> None:
    once_bundle(tmp_path)
    async with loading(tmp_path) as at:
        await at.loader.loaded()
        assert at.states() == {("once", 1): "ready"}
        once_bundle(tmp_path, version=2)
        await opening(at.store)
        at.store.go.clear()
        at.loader.reconcile(at.loader.wanted.after("load", "once"))
        await opening(at.store)
        assert at.states() == {("once", 1): "ready", ("once", 2): "loading"}
        at.store.go.set()
        await at.loader.settled(1)
        assert at.states() == {("once", 1): "unloaded", ("once", 2): "ready"}
        assert at.shelf.ready(("once", 1)) is not None, "for requests on their way"
    assert [(status.version, status.state) for status in at.told[2:]] == [
        (2, "loading"),
        (2, "ready"),
        (1, "unloaded"),
    ]


async def test_a_new_version_that_does_not_work_changes_nothing(tmp_path: Path) -> None:
    once_bundle(tmp_path)
    async with loading(tmp_path) as at:
        await at.loader.loaded()
        flip_byte(once_bundle(tmp_path, version=2), "keep.json")
        await at.change(LATEST.after("load", "once"))
        assert at.states() == {("once", 1): "ready", ("once", 2): "failed"}
        assert "keep.json" in at.reason(2)


async def test_the_store_is_looked_at_from_time_to_time(tmp_path: Path) -> None:
    once_bundle(tmp_path)
    with loop_clock() as clock:
        async with loading(tmp_path, poll_s=60) as at:
            assert await at.resting() == 60
            once_bundle(tmp_path, version=2)
            assert await at.looks_again(clock) == 60
            assert at.states() == {("once", 1): "unloaded", ("once", 2): "ready"}
            await at.looks_again(clock)
            assert at.store.opened == [("once", 1), ("once", 2)]


async def test_without_an_interval_it_is_looked_at_when_something_is_wanted(tmp_path: Path) -> None:
    once_bundle(tmp_path)
    async with loading(tmp_path) as at:
        assert await at.resting() == math.inf


async def test_a_half_copied_bundle_is_loaded_when_it_is_whole(tmp_path: Path) -> None:
    directory = once_bundle(tmp_path)
    content = (directory / "keep.json").read_bytes()
    (directory / "keep.json").unlink()
    with loop_clock() as clock:
        async with loading(tmp_path, poll_s=60) as at:
            await at.looks_again(clock)
            assert at.states() == {("once", 1): "failed"}
            assert at.store.opened == [("once", 1)], "nothing has changed"
            (directory / "keep.json").write_bytes(content)
            await at.looks_again(clock)
            assert at.states() == {("once", 1): "ready"}


async def test_other_bytes_under_the_same_number_wait_for_a_reload(tmp_path: Path) -> None:
    directory = once_bundle(tmp_path)
    with loop_clock() as clock:
        async with loading(tmp_path, poll_s=60) as at:
            await at.loader.loaded()
            first = at.shelf.ready(("once", 1))
            await at.change(LATEST.after("reload", "once"))
            assert at.shelf.ready(("once", 1)) is first, "the same bytes are not loaded twice"
            before = (directory / "manifest.json").read_bytes()
            edit_manifest(directory, lambda words: words.update(description="another"))
            await at.looks_again(clock)
            assert at.reason(1) == CHANGED
            assert at.states() == {("once", 1): "ready"}
            (directory / "manifest.json").write_bytes(before)
            await at.looks_again(clock)
            assert at.reason(1) == ""
            edit_manifest(directory, lambda words: words.update(description="another"))
            await at.change(at.loader.wanted.after("load", "once"))
            assert at.shelf.ready(("once", 1)) is first
            assert at.reason(1) == CHANGED
            await at.change(at.loader.wanted.after("reload", "once", 1))
            assert at.shelf.ready(("once", 1)) is not first
            status = at.shelf.status(("once", 1))
            assert status is not None
            assert status.manifest is not None
            assert (status.state, status.reason, status.manifest.description) == ("ready", "", "another")


async def test_a_reload_of_a_broken_bundle_leaves_what_serves(tmp_path: Path) -> None:
    directory = once_bundle(tmp_path)
    async with loading(tmp_path) as at:
        await at.loader.loaded()
        first = at.shelf.ready(("once", 1))
        edit_manifest(directory, lambda words: words.update(colour=1))
        await at.change(LATEST.after("reload", "once"))
        assert at.states() == {("once", 1): "ready"}
        assert at.reason(1).startswith(RELOAD_FAILED)
        assert "colour: unknown key" in at.reason(1)
        assert at.shelf.ready(("once", 1)) is first


async def test_a_store_that_is_not_there_yet_is_waited_for(tmp_path: Path) -> None:
    once_bundle(tmp_path)
    with loop_clock() as clock:
        async with loading(tmp_path, away="connection refused") as at:
            await at.loader.settled(0)
            ready = asyncio.create_task(at.loader.loaded())
            assert await at.resting() == 1
            assert at.loader.problems == ["store: steered: connection refused (it is looked at again within 1 s)"]
            assert at.states() == {}
            assert [await at.looks_again(clock) for _ in range(7)] == [2, 4, 8, 16, 32, 60, 60]
            assert not ready.done()
            at.store.away = ""
            assert await at.looks_again(clock) == math.inf
            await ready
            assert (at.states(), at.loader.problems) == ({("once", 1): "ready"}, [])


async def test_a_store_that_goes_away_takes_nothing_with_it(tmp_path: Path) -> None:
    once_bundle(tmp_path)
    with loop_clock() as clock:
        async with loading(tmp_path, poll_s=60) as at:
            await at.resting()
            at.store.away = "no route to host"
            assert await at.looks_again(clock) == 1
            assert at.loader.problems == ["store: steered: no route to host (it is looked at again within 1 s)"]
            assert at.states() == {("once", 1): "ready"}
            await at.change(LATEST.after("unload", "once"))
            assert at.states() == {("once", 1): "unloaded"}, "to let go needs no store"
            at.store.away = ""
            await at.change(at.loader.wanted.after("load", "once"))
            assert (at.states(), at.loader.problems) == ({("once", 1): "ready"}, [])
            assert await at.resting() == 60


async def test_a_store_that_does_not_answer_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    once_bundle(tmp_path)
    monkeypatch.setattr(module, "SILENT_S", 0.01)
    async with loading(tmp_path) as at:
        await at.loader.loaded()
        whole, held = at.store.look, asyncio.Event()
        loop = asyncio.get_running_loop()

        def look() -> list[Found]:
            asyncio.run_coroutine_threadsafe(held.wait(), loop).result()
            return list(whole())

        at.store.look = look  # type: ignore[method-assign]
        await at.change(LATEST.after("load", "once"))
        assert at.loader.problems == ["store: steered: no answer for 0.01 s"]
        assert at.states() == {("once", 1): "ready"}
        held.set()
        await until(lambda: at.loader.problems == [])


async def test_what_could_not_be_brought_here_is_tried_again_by_itself(tmp_path: Path) -> None:
    once_bundle(tmp_path)
    with loop_clock() as clock:
        async with loading(tmp_path, distant=True) as at:
            at.store.open_error = BundleError("once/1: keep.json: its bytes are not those listed")
            assert await at.resting() == pytest.approx(1, abs=0.5)
            assert at.states() == {("once", 1): "failed"}
            assert await at.looks_again(clock) == pytest.approx(2, abs=0.5)
            assert await at.looks_again(clock) == pytest.approx(4, abs=0.5)
            at.store.open_error = None
            assert await at.looks_again(clock) == math.inf
            assert at.states() == {("once", 1): "ready"}
            assert [status.state for status in at.told] == ["loading", "failed", "failed", "failed", "ready"]


async def test_what_was_unloaded_while_it_was_loaded_stays_away(tmp_path: Path) -> None:
    once_bundle(tmp_path)
    async with loading(tmp_path) as at:
        at.store.go.clear()
        await opening(at.store)
        at.loader.reconcile(LATEST.after("unload", "once"))
        assert at.states() == {("once", 1): "unloaded"}
        at.store.go.set()
        await at.loader.settled(1)
        assert at.states() == {("once", 1): "unloaded"}
        assert at.shelf.ready(("once", 1)) is None


async def test_what_is_lost_serves_and_what_was_unloaded_is_forgotten(tmp_path: Path) -> None:
    once_bundle(tmp_path)
    shutil.copytree(once_bundle(tmp_path, name="other"), tmp_path / "other" / "kept")
    with loop_clock() as clock:
        async with loading(tmp_path, poll_s=60) as at:
            await at.loader.loaded()
            shutil.rmtree(tmp_path / "once")
            await at.looks_again(clock)
            assert at.reason(1) == GONE
            assert at.shelf.ready(("once", 1)) is not None
            await at.change(LATEST.after("unload", "once"))
            assert at.states()["once", 1] == "unloaded"
            await at.looks_again(clock)
            assert ("once", 1) in at.states()
            clock.skip(FORGET_S)
            await at.looks_again(clock)
            assert ("once", 1) not in at.states()


async def test_older_revisions_are_not_followed(tmp_path: Path) -> None:
    once_bundle(tmp_path)
    async with loading(tmp_path) as at:
        newer = LATEST.after("unload", "once").after("load", "once")
        await at.change(newer)
        at.loader.reconcile(LATEST.after("unload", "once"))
        assert at.loader.wanted == newer
        assert at.states() == {("once", 1): "ready"}


async def test_a_name_that_comes_later_is_not_missing_any_more(tmp_path: Path) -> None:
    once_bundle(tmp_path)
    async with loading(tmp_path, wanted({"": parse_versions("latest")}, ["once", "late"])) as at:
        await at.loader.loaded()
        assert at.states() == {("late", 0): "failed", ("once", 1): "ready"}
        once_bundle(tmp_path, name="late")
        await at.change(at.loader.wanted.after("load", "late"))
        assert at.states() == {("late", 1): "ready", ("once", 1): "ready"}


async def test_whatever_a_runtime_raises_fails_its_model_alone(tmp_path: Path) -> None:
    once_bundle(tmp_path)
    once_bundle(tmp_path, name="twice")

    def picky(bundle: Bundle) -> ReadyModel:
        if bundle.manifest.name == "once":
            raise MemoryError("no more")
        return load(bundle)

    async with loading(tmp_path, how=picky) as at:
        await at.loader.loaded()
        assert at.states() == {("once", 1): "failed", ("twice", 1): "ready"}
        assert at.reason(1) == "MemoryError: no more"


async def test_an_error_of_our_own_is_told_and_nobody_waits_for_ever(tmp_path: Path) -> None:
    once_bundle(tmp_path)
    async with loading(tmp_path) as at:
        at.store.look = lambda: [None]  # type: ignore[method-assign,list-item]
        with pytest.raises(Internal, match="loading has stopped"):
            await at.loader.loaded()
        with pytest.raises(Internal, match="loading has stopped"):
            await at.loader.settled(1)
        assert at.loader.problems == ["loading has stopped: AttributeError"]
