"""The composition for one machine: frontends, data plane and engine in one process."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable

from brood.dataplane.statistics import CountingSteps, Statistics
from brood.host.host import Host
from brood.host.parity import watch_parity
from brood.observe.metrics import Metrics
from brood.protocol.models import ModelStatus
from brood.serve.claims import Claims
from brood.serve.errors import Unhealthy
from brood.serve.front import Front, NodeStatus, shown
from brood.serve.garbage import keep_what_is_there
from brood.serve.hosting import host_options
from brood.settings import Settings

USELESS_S = 30.0  # after so long without a model that is ready or loading, a replica does not take over
log = logging.getLogger(__name__)


class Colocated:
    """A whole server in one process, on the event loop that calls `start`.

    Args:
        settings: of the server; ``host`` is an address of this machine.
        metrics: of this process.
        shared, claims: see `Front`.
    """

    def __init__(
        self, settings: Settings, metrics: Metrics, *, shared: bool = False, claims: Claims | None = None
    ) -> None:
        statistics = Statistics()
        self._host = Host(host_options(settings), CountingSteps(statistics, metrics), tells(metrics))
        self._front = Front(settings, self._host, metrics, statistics, shared=shared, claims=claims)
        self._settings, self._metrics = settings, metrics
        self._loading: asyncio.Task[None] | None = None
        self._watching: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Open the ports and load the models in the background: health answers from the first second.

        Where it replaces another, the ports come after the models.

        Raises:
            PortInUse: somebody listens there already.
            Unhealthy: it replaces another, and has nothing to serve.
        """
        self._loading = asyncio.create_task(self._host.start(), name="brood-loading")
        self._watching = watching(self._host, self._loading, self._settings, self._metrics)
        await asyncio.sleep(0)  # loading begins with the engine, without which a replica is not well
        began = asyncio.get_running_loop().time()
        await self._front.start(lambda: self._takes_over(began))

    async def stop(self) -> None:
        """Let running requests end within the grace, then close everything."""
        for task in (self._watching, self._loading):
            if task is not None:
                task.cancel()
                await asyncio.wait([task])
        await self._front.stop()
        await self._host.stop()
        self._front.close()

    @property
    def useful(self) -> bool:
        """See `Front.useful`."""
        return self._front.useful

    def _takes_over(self, began: float) -> bool:
        check_host(self._host, self._loading)
        loading = any(model.state == "loading" for model in self._host.models())
        if not self.useful and not loading and asyncio.get_running_loop().time() - began > USELESS_S:
            raise Unhealthy(f"nothing to serve, the replica before serves on: {self._front.plane.ready().reason}")
        return self.useful

    def status(self) -> NodeStatus:
        """What is there."""
        loaded = self._loading is not None and self._loading.done()
        return NodeStatus(
            os.getpid(), self._front.host, shown(self._host.models()), loaded, tuple(self._host.problems())
        )

    async def check(self) -> None:
        """Ask every part whether it works, as a client would.

        Raises:
            Unhealthy: one does not.
        """
        check_host(self._host, self._loading)
        await self._front.check()


def check_host(host: Host, loading: asyncio.Task[None] | None) -> None:
    """Whether a host works; single models fail alone.

    Args:
        host: running.
        loading: its `Host.start`.

    Raises:
        Unhealthy: it does not.
    """
    if not host.alive:
        raise Unhealthy("the engine has stopped")
    failure = loading.exception() if loading is not None and loading.done() and not loading.cancelled() else None
    if failure is not None:
        raise Unhealthy(f"loading has failed: {failure}") from failure


def watching(host: Host, loading: asyncio.Task[None], settings: Settings, metrics: Metrics) -> asyncio.Task[None]:
    """Once the models have been loaded, keep them from the collector, and begin to watch for drift."""

    async def watch() -> None:
        await asyncio.wait([loading])
        keep_what_is_there()
        if settings.parity_every_s:
            await watch_parity(host, settings.parity_every_s, metrics.drifted)

    return asyncio.create_task(watch(), name="brood-parity")


def tells(metrics: Metrics) -> Callable[[ModelStatus], None]:
    """Counts and logs what becomes of models."""

    def on_model(model: ModelStatus) -> None:
        metrics.models([model])
        if model.state == "failed":
            log.error("model %s version %d failed: %s", model.name, model.version, model.reason)
        else:
            log.debug("model %s version %d is %s", model.name, model.version, model.state)

    return on_model
