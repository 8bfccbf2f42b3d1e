"""The composition of a worker: one host on one device, and the links of all ingresses to it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from brood.dataplane.statistics import CountingSteps, Statistics
from brood.generators import GeneratorSettings
from brood.host.host import Host
from brood.observe.metrics import Metrics
from brood.protocol.models import ModelStatus
from brood.remote import WorkerServer, WorkerStatus
from brood.serve.colocated import check_host, tells, watching
from brood.serve.costs import RowCosts, costs_of
from brood.serve.desired import WorkerLoad
from brood.serve.effort import Effort
from brood.serve.errors import Unhealthy
from brood.serve.hosting import host_options
from brood.settings import Settings
from brood.store.wanted import Wanted

log = logging.getLogger(__name__)
SETTLED_S = 0.2  # how often a worker that starts looks whether it can be of use


class Worker:
    """Owned by the event loop that calls `start`.

    Args:
        worker_id: unlike that of any other worker, dead ones included.
        settings: of the server.
        group: the generator that it belongs to.
        metrics: of this process.
        token: that ingresses have to show.

    Attributes:
        done: revision of the wanted state that it has come to.
        on_done: called when that has changed.
    """

    def __init__(
        self, worker_id: str, settings: Settings, group: GeneratorSettings, metrics: Metrics, token: str
    ) -> None:
        self._id, self._group, self._grace_s = worker_id, group, settings.shutdown_grace_s
        options = host_options(settings, group)
        self._limit_s = options.engine.max_backlog_s
        self._costs, self._tell = RowCosts(), tells(metrics)
        self._effort = Effort(CountingSteps(Statistics(), metrics), self._costs.row_s)
        self._host = Host(options, self._effort, self._on_model)
        self._server = WorkerServer(self._host, self.status, token)
        self._settings, self._metrics = settings, metrics
        self._loading: asyncio.Task[None] | None = None
        self._watching: asyncio.Task[None] | None = None
        self._following: asyncio.Task[None] | None = None
        self.done = 0
        self.on_done: Callable[[], None] = lambda: None

    async def start(self, host: str) -> str:
        """Listen on a free port of an address, and begin to load; returns ``HOST:PORT``."""
        in_url = f"[{host}]" if ":" in host else host
        port = await self._server.start(in_url)
        self._loading = asyncio.create_task(self._host.start(), name="brood-loading")
        await asyncio.sleep(0)  # it begins with the engine, without which a worker is not well
        self._watching = watching(self._host, self._loading, self._settings, self._metrics)
        return f"{in_url}:{port}"

    async def useful(self) -> None:
        """Wait until a model is ready, or it is known that none is wanted.

        A worker that is of no use must not take the place of one that is: an upgrade waits for this.
        """
        while not self._is_useful():
            check_host(self._host, self._loading)
            await asyncio.sleep(SETTLED_S)

    def _is_useful(self) -> bool:
        """All was tried, and not everything that is wanted has failed."""
        loaded = self._loading is not None and self._loading.done()
        states = {model.state for model in self._host.models()}
        return loaded and (not states or bool(states & {"ready", "unloaded"}))

    async def stop(self) -> None:
        """Tell all ingresses, let what runs end within the grace, and close everything."""
        for task in (self._watching, self._loading, self._following):
            if task is not None:
                task.cancel()
                await asyncio.wait([task])
        await self._server.stop(self._grace_s)
        await self._host.stop()

    def check(self) -> None:
        """Whether it works: a busy device does, one that does not answer does not.

        Raises:
            Unhealthy: it does not.
        """
        check_host(self._host, self._loading)
        if self._following is not None and self._following.done() and not self._following.cancelled():
            failure = self._following.exception()
            if failure is not None:
                raise Unhealthy(f"what is wanted cannot be followed: {failure}") from failure

    def models(self) -> tuple[ModelStatus, ...]:
        """What it has, in whatever state."""
        return tuple(self._host.models())

    def problems(self) -> tuple[str, ...]:
        """What is wrong beside single models."""
        return tuple(self._host.problems())

    def follow(self, wanted: Wanted) -> None:
        """Serve this from now on, as far as it is for this group."""
        if self._following is not None:
            self._following.cancel()
        self._following = asyncio.create_task(self._follow(wanted), name="brood-following")

    async def _follow(self, wanted: Wanted) -> None:
        assert self._loading is not None
        await asyncio.wait([self._loading])
        self._host.reconcile(wanted.only(self._group.models))
        await self._host.settled(wanted.revision)
        self.done = wanted.revision
        self.on_done()

    def load(self) -> WorkerLoad:
        """For the autoscaling."""
        return WorkerLoad(self._effort.backlog_s, self._effort.load, self._effort.idle_s)

    def status(self) -> WorkerStatus:
        """For the ingresses."""
        models = self.models()
        keys = [(model.name, model.version) for model in models if model.state == "ready"]
        ready = {key: self._host.ready_model(*key) for key in keys}
        backlog_s = self._host.backlog_s
        return WorkerStatus(
            self._id,
            models,
            {key: costs_of(model.engine) for key, model in ready.items() if model is not None},
            interactive_s=backlog_s["interactive"],
            bulk_s=backlog_s["bulk"],
            max_backlog_s=self._limit_s,
            occupancy=self._effort.load,
        )

    def _on_model(self, status: ModelStatus) -> None:
        self._tell(status)
        if (ready := self._host.ready_model(status.name, status.version)) is not None:
            self._costs.ready(ready.engine)
