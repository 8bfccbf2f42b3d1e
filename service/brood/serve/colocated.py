"""The composition for one machine: frontends, data plane and engine in one process."""

from __future__ import annotations

import asyncio
import logging
import os
from dataclasses import dataclass, replace

import grpc

from brood.dataplane import DataPlane, Limits
from brood.dataplane.statistics import CountingSteps, Statistics
from brood.engine.loop import EngineOptions
from brood.frontends.servers import ServerOptions, Servers
from brood.host.host import Host, HostOptions
from brood.observe.metrics import Metrics
from brood.protocol.models import ModelStatus
from brood.serve.entrance import gate_of, tls_of
from brood.serve.errors import Unhealthy
from brood.serve.probes import probe_grpc, probe_http, probe_tls
from brood.settings import Settings

PROBE_TIMEOUT_S = 2.0
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """What a supervisor wants to know of a node; travels between processes."""

    pid: int
    models: tuple[ModelStatus, ...]  # without their manifests
    loaded: bool  # no model is loading any more


class Colocated:
    """A whole server in one process, on the event loop that calls `start`."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._settings = settings
        self._metrics = metrics
        options = HostOptions(
            models=settings.models,
            names=settings.names,
            threads=settings.threads,
            allow_native=settings.allow_native,
            cache_dir=settings.cache_dir,
            max_state_bytes=settings.max_state_bytes,
            engine=EngineOptions(
                max_backlog_s=settings.max_backlog_s,
                max_held_bytes=settings.max_held_bytes,
                max_wait_s=settings.max_wait_ms / 1000,
                hang_s=settings.hang_s,
            ),
        )
        statistics = Statistics()
        self._host = Host(options, CountingSteps(statistics, self._metrics), self._on_model)
        limits = Limits(max_n=settings.max_n, max_body_bytes=settings.max_body_bytes)
        self._plane = DataPlane(
            self._host, limits, self._metrics, required=settings.names, statistics=statistics, admin=settings.admin
        )
        self._servers = Servers(
            self._plane,
            ServerOptions(
                settings.host,
                settings.http_port,
                settings.grpc_port,
                settings.host_names,
                gate_of(settings),
                tls_of(settings),
            ),
        )
        self._loading: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Open the ports, then load the models in the background: health answers from the first second.

        Raises:
            PortInUse: somebody listens there already.
        """
        await self._servers.start()
        self._loading = asyncio.create_task(self._host.start(), name="brood-loading")

    async def stop(self) -> None:
        """Let running requests end within the grace, then close everything."""
        if self._loading is not None:
            self._loading.cancel()
            await asyncio.wait([self._loading])
        await self._servers.stop(self._settings.shutdown_grace_s)
        await self._host.stop()
        self._plane.close()

    def status(self) -> NodeStatus:
        """What is there."""
        return NodeStatus(
            pid=os.getpid(),
            models=tuple(replace(model, manifest=None) for model in self._host.models()),
            loaded=self._loading is not None and self._loading.done(),
        )

    async def check(self) -> None:
        """Ask every part whether it works, as a client would.

        Raises:
            Unhealthy: one does not.
        """
        if not self._host.alive:
            raise Unhealthy("the engine has stopped")
        if (failure := self._loading_failure()) is not None:
            raise Unhealthy(f"loading has failed: {failure}") from failure
        host = reachable(self._settings.host)
        try:
            async with asyncio.timeout(PROBE_TIMEOUT_S):
                if self._settings.tls_cert is None:
                    await probe_http(host, self._servers.http_port)
                    await probe_grpc(host, self._servers.grpc_port)
                else:
                    await probe_tls(host, self._servers.http_port)
                    await probe_tls(host, self._servers.grpc_port)
        except (OSError, grpc.aio.AioRpcError) as error:
            raise Unhealthy(f"own port does not answer: {type(error).__name__}: {error}") from error

    def _loading_failure(self) -> BaseException | None:
        """Why loading as a whole has failed; single models fail alone."""
        loading = self._loading
        return loading.exception() if loading is not None and loading.done() and not loading.cancelled() else None

    def _on_model(self, model: ModelStatus) -> None:
        self._metrics.models([model])
        if model.state == "failed":
            log.error("model %s version %d failed: %s", model.name, model.version, model.reason)
        else:
            log.debug("model %s version %d is %s", model.name, model.version, model.state)


def reachable(host: str) -> str:
    """An address under which this machine reaches a server that listens on ``host``."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
