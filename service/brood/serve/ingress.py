"""What Ray Serve sees of a replica with ports: its life and its health."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, TypedDict

from ray import serve
from ray.serve.handle import DeploymentHandle, DeploymentResponse

from brood.serve.asking import DirectoryHandle
from brood.serve.claims import Claims
from brood.serve.hosting import edition_of
from brood.serve.process import begin, claims_of, here
from brood.serve.secret import token_of
from brood.serve.waiting import until
from brood.settings import Settings

if TYPE_CHECKING:
    from brood.observe.metrics import Metrics
    from brood.serve.colocated import Colocated
    from brood.serve.front import NodeStatus
    from brood.serve.split import Split

log = logging.getLogger(__name__)


class Ingress:
    """The deployment. Serve calls the constructor and all methods on the replica's event loop.

    Requests do not pass through Serve: the composition opens its own ports, which carry about ten times the calls of
    the best proxy (measured: docs/ray.md).

    Args:
        settings: of the server.
        directory: of a split server; None: everything is in this process.
        groups: of a split server: generator → its workers.
        patient: the replica counts as started when it is of use, so that an upgrade does not go on before.
        shared: see `Front`.
    """

    def __init__(
        self,
        settings: Settings,
        directory: DeploymentHandle | None,
        groups: Mapping[str, DeploymentHandle],
        *,
        patient: bool,
        shared: bool,
    ) -> None:
        self._edition, settings = edition_of(settings), here(settings)
        metrics, self._counting = begin(settings, "ingress", settings.max_backlog_s if directory is None else 0.0)
        self._patient, self._shared = patient, shared
        self._waking = {name: _Wake(handle) for name, handle in groups.items()}
        self._node: Colocated | Split | None = None
        # Serve calls the first health check before the replica counts as started, so a failure to start is told there.
        self._started = asyncio.ensure_future(self._start(settings, directory, metrics))

    async def _start(self, settings: Settings, directory: DeploymentHandle | None, metrics: Metrics) -> None:
        try:
            self._node = await self._composed(settings, directory, metrics)
            await self._node.start()
        except Exception as error:
            log.error("the replica did not start: %s", error)
            raise
        log.info("the replica listens, process %d, settings %s", os.getpid(), self._edition)

    async def _composed(
        self, settings: Settings, directory: DeploymentHandle | None, metrics: Metrics
    ) -> Colocated | Split:
        context = serve.get_replica_context()
        ports: _Ports = {"shared": self._shared, "claims": claims_of(context.app_name) if self._patient else None}
        if directory is None:
            from brood.serve.colocated import Colocated

            return Colocated(settings, metrics, **ports)
        from brood.serve.split import Split

        own_id, token = context.replica_id.unique_id, await asyncio.to_thread(token_of, context.app_name)
        asked = DirectoryHandle(directory)
        return Split(own_id, settings, token, asked, self._wake, metrics, edition=self._edition, **ports)

    def _wake(self, group: str) -> None:
        self._waking[group].call()

    async def check_health(self) -> None:
        """Raises what is wrong; Serve then replaces the replica."""
        await self._started
        assert self._node is not None
        node = self._node
        if self._patient:
            await until(lambda: node.useful)
            self._patient = False
        await node.check()

    async def status(self) -> NodeStatus:
        """For the supervisor."""
        await self._started
        assert self._node is not None
        return self._node.status()

    async def __del__(self) -> None:
        """Serve awaits this when it stops the replica."""
        self._started.cancel()
        await asyncio.wait([self._started])
        if self._node is not None:
            await self._node.stop()
        self._counting.close()
        log.info("the replica has stopped, process %d", os.getpid())


class _Ports(TypedDict):
    """See `Front`."""

    shared: bool
    claims: Claims | None


class _Wake:
    """Calls a group of workers that may have none: Serve's autoscaling counts the call, and starts one."""

    def __init__(self, handle: DeploymentHandle) -> None:
        self._handle = handle
        self._call: asyncio.Task[None] | None = None

    def call(self) -> None:
        """Unless a call waits already."""
        if self._call is None or self._call.done():
            self._call = asyncio.create_task(self._wait(self._handle.wake.remote()))

    async def _wait(self, response: DeploymentResponse) -> None:
        await response
