"""The composition of an ingress of a split server: frontends and data plane here, models in processes of their own."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Protocol

from brood.observe.metrics import Metrics
from brood.protocol.models import ModelStatus
from brood.remote import RemoteBackend, RemoteOptions
from brood.serve.claims import Claims
from brood.serve.directory import Glance
from brood.serve.errors import Unhealthy
from brood.serve.follow import Watcher
from brood.serve.front import Front, NodeStatus, shown
from brood.serve.register import View
from brood.serve.waiting import until
from brood.settings import Settings
from brood.store.wanted import Change

CHANGE_S = 600.0  # for all workers to load a model that was asked for
COUNT_S = 1.0  # how often links and what happened to them are counted
HEARD_S = 2.0  # for the news of it to come
log = logging.getLogger(__name__)


class Directories(Protocol):
    """The directory, from afar."""

    async def watch(self, glance: Glance) -> View:
        """See `Directory.watch`."""
        ...

    async def change(self, change: Change, name: str, version: int | None, within_s: float) -> None:
        """See `Directory.change`."""
        ...


class SplitBackend(RemoteBackend):
    """A backend over workers, whose models are the directory's affair."""

    def __init__(self, token: str, options: RemoteOptions, split: Split) -> None:
        super().__init__(token, options, load=self.load, unload=self.unload, reload=self.reload, wake=split.wake)
        self._split = split

    async def load(self, name: str, version: int | None = None) -> None:
        """See `Backend.load`."""
        await self._split.change("load", name, version)

    async def unload(self, name: str, version: int | None = None) -> None:
        """See `Backend.unload`."""
        await self._split.change("unload", name, version)

    async def reload(self, name: str, version: int | None = None) -> None:
        """See `Backend.reload`."""
        await self._split.change("reload", name, version)

    def problems(self) -> Sequence[str]:
        """See `Backend.problems`."""
        return self._split.problems()

    def models(self) -> Sequence[ModelStatus]:
        """See `Backend.models`. Models that no worker has spoken of yet are told of, too, if the settings name them."""
        known = super().models()
        return self._split.with_unseen(known)


class Split:
    """Owned by the event loop that calls `start`.

    Args:
        ingress_id: unlike that of any other ingress.
        settings: of the server; ``host`` is an address of this machine.
        token: to be shown to workers.
        directory: knows where workers are.
        wake: called with the name of a group whose workers are wanted, though it may have none.
        metrics: of this process.
        edition: of the settings, as workers have it, too.
        shared, claims: see `Front`.
    """

    def __init__(
        self,
        ingress_id: str,
        settings: Settings,
        token: str,
        directory: Directories,
        wake: Callable[[str], None],
        metrics: Metrics,
        *,
        edition: str,
        shared: bool = False,
        claims: Claims | None = None,
    ) -> None:
        self._edition = edition
        self._groups = settings.groups
        self._named = {name: group.name for group in self._groups for name in group.models}
        self._directory, self._wake_group = directory, wake
        options = RemoteOptions(
            max_held=settings.hold_requests, max_held_bytes=settings.hold_bytes, max_hold_s=settings.hold_s
        )
        self._backend = SplitBackend(token, options, self)
        self._front = Front(settings, self._backend, metrics, shared=shared, claims=claims)
        self._watcher = Watcher(ingress_id, lambda: self._front.plane.running, self._take, directory.watch)
        self._view: View | None = None
        self._metrics = metrics
        self._counting: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Open the ports and look for workers in the background; where it replaces another, first for workers.

        Raises:
            PortInUse: somebody listens there already.
        """
        self._watcher.start()
        self._counting = asyncio.create_task(self._count(), name="brood-counting")
        await self._front.start(lambda: self.useful)

    async def stop(self) -> None:
        """Let running requests end within the grace, then close everything."""
        await self._front.stop()
        await self._watcher.stop()
        await self._backend.stop()
        if self._counting is not None:
            self._counting.cancel()
            self._tell_links()
        self._front.close()

    @property
    def useful(self) -> bool:
        """See `Front.useful`. Workers of other settings, if there are no others, are the last ingress's affair."""
        return self._front.useful and not self._borrowed()

    def _borrowed(self) -> bool:
        """Whether all that is ready is so at workers of other settings, or at some that have not been heard yet."""
        places = {} if self._view is None else self._view.workers
        heard = {key: worker.status for key, worker in self._backend.workers().items() if worker.status is not None}
        editions = {
            places[key].edition if key in places else ""
            for key, status in heard.items()
            if any(model.state == "ready" for model in status.models)
        }
        return self._edition not in editions and (bool(editions) or not places.keys() <= heard.keys())

    def status(self) -> NodeStatus:
        """What is there."""
        models = self._front.plane.models()
        loading = any(model.state == "loading" for model in models)
        loaded = bool(models) and not loading and not self._missing()
        return NodeStatus(os.getpid(), self._front.host, shown(models), loaded, tuple(self.problems()))

    async def check(self) -> None:
        """Ask every part whether it works, as a client would. Workers are not its parts.

        Raises:
            Unhealthy: one does not.
        """
        if not self._watcher.alive:
            raise Unhealthy("nobody looks for workers any more")
        await self._front.check()

    async def _take(self, view: View) -> None:
        """Workers that the directory does not know, or has forgotten, are kept while their links work."""
        self._view = view
        linked = {key: worker.address for key, worker in self._backend.workers().items() if worker.status is not None}
        await self._backend.set_workers(linked | {key: place.address for key, place in view.workers.items()})
        self._backend.expect(view.expected)
        if view.stopping and not self._front.plane.stopping:
            self._front.plane.stop_accepting()

    async def _count(self) -> None:
        while True:
            self._tell_links()
            await asyncio.sleep(COUNT_S)

    def _tell_links(self) -> None:
        tally = self._backend.tally
        self._metrics.linked(
            sum(worker.status is not None for worker in self._backend.workers().values()),
            sum(held.requests for held in self._backend.held().values()),
            lost=tally.lost_workers,
            resubmitted=tally.resubmitted_rows,
            duplicates=tally.duplicates,
            given_up=tally.given_up,
        )

    async def change(self, change: Change, name: str, version: int | None) -> None:
        """Have other models served, or others not; ends when all workers have done it."""
        await self._directory.change(change, name, version, CHANGE_S)
        with suppress(TimeoutError):
            async with asyncio.timeout(HEARD_S):
                await until(lambda: self._heard(change, name, version))

    def _heard(self, change: Change, name: str, version: int | None) -> bool:
        """Whether what workers have done has come here, too."""
        states = {
            model.state for model in self._backend.models() if model.name == name and version in (None, model.version)
        }
        if change == "unload":
            return "ready" not in states
        return bool(states) and "loading" not in states

    def wake(self, model: str) -> None:
        """Somebody waits for a model that no worker has."""
        for group in self._groups:
            if not group.models or model in group.models:
                self._wake_group(group.name)

    def _missing(self) -> list[str]:
        """Groups that shall have workers and have none."""
        there = set() if self._view is None else {place.generator for place in self._view.workers.values()}
        return [group.name for group in self._groups if group.least and group.name not in there]

    def with_unseen(self, known: Sequence[ModelStatus]) -> Sequence[ModelStatus]:
        """The same, and those that are named in the settings and that nobody has spoken of."""
        unseen = self._named.keys() - {model.name for model in known}
        if not unseen:
            return known
        more = [self._unseen(name, self._named[name]) for name in unseen]
        return sorted([*known, *more], key=lambda model: (model.name, model.version))

    def _unseen(self, name: str, group: str) -> ModelStatus:
        trouble = self._troubles.get(group)
        return ModelStatus(
            name, 0, "failed" if trouble else "loading", f"generator {group}: {trouble or 'no worker yet'}"
        )

    @property
    def _troubles(self) -> Mapping[str, str]:
        return {} if self._view is None else self._view.troubles

    def problems(self) -> Sequence[str]:
        """What is wrong beside single models."""
        lacking = dict.fromkeys(self._missing(), "no worker yet") | dict(self._troubles)
        told = () if self._view is None else self._view.problems
        lost = [f"{key}: {worker.reason}" for key, worker in self._backend.workers().items() if worker.reason]
        return [*(f"generator {name}: {reason}" for name, reason in lacking.items()), *told, *lost]
