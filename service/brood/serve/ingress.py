"""What Ray Serve sees of a server: its life and its health."""

from __future__ import annotations

import asyncio
import logging
import os
from typing import TYPE_CHECKING

from brood.observe.logs import set_up_logs
from brood.settings import Settings, export_variables

if TYPE_CHECKING:
    from brood.serve.colocated import NodeStatus

log = logging.getLogger(__name__)


class Ingress:
    """The deployment. Serve calls the constructor and all methods on the replica's event loop.

    Requests do not pass through Serve: the composition opens its own ports, which carry about ten times the calls of
    the best proxy (measured: docs/ray.md).
    """

    def __init__(self, settings: Settings) -> None:
        set_up_logs(settings.log_level, settings.log_format, settings.log_file)
        if settings.metrics_dir is not None:
            # Here and not around all of Ray, whose own processes would count into the same files. The variable is read
            # when the metrics are imported.
            export_variables({"PROMETHEUS_MULTIPROC_DIR": str(settings.metrics_dir)})
        from brood.observe.metrics import Metrics
        from brood.serve.colocated import Colocated

        self._node = Colocated(settings, Metrics())
        # Serve calls the first health check before the replica counts as started, so a failure to start is told there.
        self._started = asyncio.ensure_future(self._start())

    async def _start(self) -> None:
        try:
            await self._node.start()
        except Exception as error:
            log.error("the replica did not start: %s", error)
            raise
        log.info("the replica listens, process %d", os.getpid())

    async def check_health(self) -> None:
        """Raises what is wrong; Serve then replaces the replica."""
        await self._started
        await self._node.check()

    async def status(self) -> NodeStatus:
        """For the supervisor."""
        await self._started
        return self._node.status()

    async def __del__(self) -> None:
        """Serve awaits this when it stops the replica."""
        await self._node.stop()
        log.info("the replica has stopped, process %d", os.getpid())
