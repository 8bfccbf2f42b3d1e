"""Brings what is held here to what is wanted: looks at the store, loads one model at a time, lets others go.

A task of the event loop that owns the host. Everything that takes time happens on a thread beside it, and nothing of
it keeps a ready model from serving: what replaces a model is loaded beside it, and takes its place at once.
"""

from __future__ import annotations

import asyncio
import logging
import math
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from brood.host.daemon import on_thread
from brood.host.loading import ReadyModel
from brood.host.reconcile import Held, next_steps
from brood.host.shelf import Shelf
from brood.protocol.errors import BroodError, Internal
from brood.protocol.manifest import Manifest
from brood.store.source import Found, Store, StoreUnreachable
from brood.store.store import Bundle
from brood.store.wanted import Wanted

FIRST_S, LONGEST_S = 1.0, 60.0  # between two looks at a store that is not there; each time twice as long
SILENT_S = 30.0  # a store that has not answered for so long is told of
CHANGED = "the store has other bytes under this version number; reload it to serve them"
GONE = "not in the store any more; it serves until it is unloaded"
END_S = 5.0  # for the graph call of a model that is being loaded to end, when the host stops
log = logging.getLogger(__name__)
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class _Result:
    """What came of opening a bundle and loading it."""

    digest: str
    manifest: Manifest | None = None
    ready: ReadyModel | None = None
    reason: str = ""  # empty and no model: what serves is what the store has
    may_pass: bool = False  # it could not be brought here whole: that may come right by itself


class Loader:
    """Owned by the event loop that calls `run`.

    Args:
        store: where bundles come from.
        shelf: where models are put.
        wanted: what shall be served at first.
        load: makes a ready model of a verified bundle; called on another thread.
        allow_native: see `brood.store.store.read_bundle`.
        poll_s: seconds between two looks at the store; 0: only when something is wanted anew.

    Attributes:
        wanted: what shall be served.
    """

    def __init__(
        self,
        store: Store,
        shelf: Shelf,
        wanted: Wanted,
        load: Callable[[Bundle], ReadyModel],
        *,
        allow_native: bool = False,
        poll_s: float = 0.0,
    ) -> None:
        self.wanted = wanted
        self._store, self._shelf, self._load_bundle = store, shelf, load
        self._allow_native, self._poll_s = allow_native, poll_s
        self._wake, self._passed = asyncio.Event(), asyncio.Condition()
        self._settled, self._looked = -1, False
        self._unreachable, self._tries = "", 0
        self._pause_s: float | None = None  # None: at work
        self._broken: Exception | None = None
        self._under_way: asyncio.Future[Any] | None = None
        self._thread: threading.Thread | None = None

    @property
    def problems(self) -> list[str]:
        """What is wrong with the store."""
        if self._broken is not None:
            return [f"loading has stopped: {type(self._broken).__name__}"]
        again = "" if self._pause_s is None else f" (it is looked at again within {self._pause_s:.3g} s)"
        return [f"store: {self._unreachable}{again}"] if self._unreachable else []

    def reconcile(self, wanted: Wanted) -> None:
        """Take a new value, unless it is older than the last; what is unloaded by hand in it is let go of at once."""
        if wanted.revision < self.wanted.revision:
            return
        self.wanted = wanted
        for status in self._shelf.statuses:
            if status.state != "unloaded" and wanted.of(status.name).dismissed(status.version):
                self._shelf.drop((status.name, status.version))
        self._wake.set()

    async def loaded(self) -> None:
        """Wait until all was done once that the store allows: for as long as it cannot be read."""
        await self._until(lambda: self._looked)

    async def settled(self, revision: int) -> None:
        """Wait until all was done that can be done for this revision; `problems` and the statuses tell the rest."""
        await self._until(lambda: self._settled >= revision)

    async def _until(self, what: Callable[[], bool]) -> None:
        async with self._passed:
            await self._passed.wait_for(lambda: what() or self._broken is not None)
        if self._broken is not None:
            raise Internal("loading has stopped") from self._broken

    async def look(self) -> Sequence[Found]:
        """All bundles of the store.

        Raises:
            StoreUnreachable: it cannot be read.
        """
        future, _ = on_thread(self._store.look, "brood-look")
        return await future

    async def run(self) -> None:
        """Do what is to be done, until cancelled."""
        try:
            while True:
                self._wake.clear()
                revision = self.wanted.revision
                pause_s = await self._pass(revision)
                await self._settle(revision)
                await self._rest(pause_s)
        except Exception as error:
            log.exception("loading stops")
            self._broken = error
            await self._settle(-1)

    async def ended(self) -> None:
        """Wait, not for ever, for the thread that loads to notice that nobody needs it."""
        if self._under_way is not None:
            await asyncio.wait([self._under_way], timeout=END_S)
        if self._thread is not None and self._under_way is None:
            self._thread.join()

    async def _pass(self, revision: int) -> float:
        """Everything that can be done now: seconds until there may be more."""
        try:
            found = await self._seen(revision)
        except StoreUnreachable as error:
            self._tries += 1
            if self._unreachable != str(error):
                log.error("the store cannot be read: %s", error)
            self._unreachable = str(error)
            return min(FIRST_S * 2.0 ** (self._tries - 1), LONGEST_S)
        if self._unreachable:
            log.info("the store %s can be read again", self._store.where)
        self._unreachable, self._tries = "", 0
        await self._compare(found)
        await self._work(found)
        self._looked = True
        return min(self._poll_s or math.inf, max(0.0, self._shelf.retry_at - _now()))

    async def _rest(self, pause_s: float) -> None:
        """Until something else is wanted, or for so long."""
        self._pause_s = pause_s
        with suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), None if math.isinf(pause_s) else pause_s)
        self._pause_s = None

    async def _settle(self, revision: int) -> None:
        async with self._passed:
            self._settled = max(self._settled, revision)
            self._passed.notify_all()

    async def _seen(self, revision: int) -> Sequence[Found]:
        looking = self._begin(self._store.look)
        done, _ = await asyncio.wait([looking], timeout=SILENT_S)
        if not done:
            self._unreachable = f"{self._store.where}: no answer for {SILENT_S:g} s"
            await self._settle(revision)
        return await asyncio.shield(looking)

    async def _work(self, found: Sequence[Found]) -> None:
        """Step by step, as what is wanted may change at any time."""
        while True:
            steps = next_steps(self.wanted, found, self._shelf.held(_now()))
            for key in steps.drop:
                self._shelf.drop(key)
            for each in steps.load:
                self._shelf.loading(each.key)
            if not steps.load:
                break
            await self._load(steps.load[0])
        self._shelf.missing(steps.absent)
        self._shelf.forget({each.key for each in found})

    async def _load(self, found: Found) -> None:
        key, held = found.key, Held(False, self.wanted.revision, found.stamp)
        result = await asyncio.shield(self._begin(partial(self._make, found, self._shelf.digest(key))))
        if self.wanted.of(found.name).dismissed(found.version):
            return
        if result.ready is not None and result.manifest is not None:
            self._shelf.put(key, held, result.digest, result.manifest, result.ready)
        elif result.reason:
            retry_from = _now() if result.may_pass else None
            self._shelf.fail(key, held, result.reason, result.manifest, retry_from)
        else:
            self._shelf.tried(key, held)

    def _make(self, found: Found, serving: str) -> _Result:
        """On the loading thread: everything between a store and a ready model."""
        manifest = None
        try:
            if serving and self._store.digest(found) == serving:
                return _Result(serving)
            bundle = self._store.open(found, allow_native=self._allow_native)
            manifest = bundle.manifest
            return _Result(bundle.digest, manifest, self._load_bundle(bundle))
        except StoreUnreachable as error:
            return _Result("", manifest, reason=str(error), may_pass=True)
        except BroodError as error:
            return _Result("", manifest, reason=error.message, may_pass=manifest is None and self._store.distant)
        except Exception as error:
            return _Result("", manifest, reason=f"{type(error).__name__}: {error}")

    async def _compare(self, found: Sequence[Found]) -> None:
        """Notice what the store now says of the versions that serve."""
        there = {each.key: each for each in found}
        for key, held in self._shelf.held(0.0).items():
            if not held.ready:
                continue
            if key not in there:
                self._shelf.seen(key, "", GONE)
            elif there[key].stamp != held.stamp:
                await self._compare_one(there[key])

    async def _compare_one(self, found: Found) -> None:
        with suppress(StoreUnreachable):  # then at the next look
            digest = await asyncio.shield(self._begin(partial(self._store.digest, found)))
            if self._shelf.ready(found.key) is not None:
                self._shelf.seen(found.key, found.stamp, "" if digest == self._shelf.digest(found.key) else CHANGED)

    def _begin(self, work: Callable[[], Answer]) -> asyncio.Future[Answer]:
        """Some work on a thread; it goes on if the loader is cancelled."""
        future, self._thread = on_thread(work, "brood-load")
        self._under_way = future
        future.add_done_callback(self._over)
        return future

    def _over(self, future: asyncio.Future[Any]) -> None:
        """Its result must not be kept: it may be a model."""
        if self._under_way is future:
            self._under_way = None
        if not future.cancelled():
            future.exception()  # it may be that nobody waits for it any more


def _now() -> float:
    """The clock of the event loop, on which it is told when to try again."""
    return asyncio.get_running_loop().time()
