"""The ports of a replica, over whatever runs the models: the same for both topologies."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import grpc

from brood.dataplane import DataPlane
from brood.dataplane.backend import Backend
from brood.dataplane.observer import RequestObserver
from brood.dataplane.statistics import Statistics
from brood.frontends.servers import ServerOptions, Servers
from brood.protocol.models import ModelStatus
from brood.serve.claims import Claims
from brood.serve.entrance import gate_of, limits_of, tls_of, traced
from brood.serve.errors import Unhealthy
from brood.serve.garbage import keep_what_is_there
from brood.serve.ports import is_free
from brood.serve.probes import probe_grpc, probe_http, probe_tls
from brood.serve.waiting import until
from brood.settings import Settings

PROBE_TIMEOUT_S = 2.0
GOODBYE_S = 10.0  # beyond the grace, for another application to end and to give up its ports


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """What a supervisor wants to know of a replica with ports; travels between processes."""

    pid: int
    host: str  # address of its ports
    models: tuple[ModelStatus, ...]  # without their manifests
    loaded: bool  # no model is loading any more
    problems: tuple[str, ...] = ()


class Front:
    """Data plane and servers.

    Args:
        settings: of the server; ``host`` is an address of this machine.
        backend: runs the models.
        observer: counts requests.
        statistics: see `DataPlane`.
        shared: the ports may be shared with the replica that this one replaces.
        claims: for the ports, where other applications may want them; None: there are none.
    """

    def __init__(
        self,
        settings: Settings,
        backend: Backend,
        observer: RequestObserver,
        statistics: Statistics | None = None,
        *,
        shared: bool = False,
        claims: Claims | None = None,
    ) -> None:
        self._settings, self._shared, self._claims = settings, shared, claims
        self.host = settings.host
        self._traced = traced(observer, settings)
        self.plane = DataPlane(
            backend,
            limits_of(settings),
            self._traced or observer,
            required=settings.names,
            statistics=statistics,
            admin=settings.admin,
        )
        options = ServerOptions(
            settings.host,
            settings.http_port,
            settings.grpc_port,
            settings.host_names,
            gate_of(settings),
            tls_of(settings),
            shared=shared,
        )
        self._servers = Servers(self.plane, options)

    async def start(self, useful: Callable[[], bool]) -> None:
        """Open the ports: health answers from now on.

        Where the replica that this one replaces listens, callers keep to that until this one is of use.

        Args:
            useful: whether it is; may raise that it will not be.

        Raises:
            PortInUse: somebody listens there already.
        """
        ports = {"http": self._settings.http_port, "grpc": self._settings.grpc_port}
        if self._claims is not None:
            await self._claims.take(self.host, ports, self._settings.shutdown_grace_s + GOODBYE_S)
        if self._shared:
            await until(lambda: useful() or all(is_free(self.host, port) for port in ports.values()))
        await self._servers.start()
        keep_what_is_there()

    @property
    def useful(self) -> bool:
        """Whether something can be asked for, and all that is to come has come or failed.

        A replica that is of no use must not take the place of one that is: an upgrade waits for this.
        """
        states = {model.state for model in self.plane.models()}
        return "ready" in states and "loading" not in states

    async def stop(self) -> None:
        """Take no more requests, let running ones end within the grace, and close the ports."""
        await self._servers.stop(self._settings.shutdown_grace_s)

    def close(self) -> None:
        """Let the threads end; after the backend has stopped."""
        self.plane.close()
        if self._claims is not None:
            self._claims.close()
        if self._traced is not None:
            self._traced.close()

    async def check(self) -> None:
        """Ask the ports as a client would.

        Raises:
            Unhealthy: one does not answer.
        """
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


def shown(models: Iterable[ModelStatus]) -> tuple[ModelStatus, ...]:
    """Statuses without the manifests, which are long."""
    return tuple(replace(model, manifest=None) for model in models)


def reachable(host: str) -> str:
    """An address under which this machine reaches a server that listens on ``host``."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
