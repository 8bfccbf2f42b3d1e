"""What Ray Serve sees of a worker: its life, its health, and how much it has to do."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import ray
from ray import serve
from ray.serve.handle import DeploymentHandle

from brood.generators import GeneratorSettings
from brood.serve.asking import DirectoryHandle
from brood.serve.directory import base_of
from brood.serve.follow import Reporter
from brood.serve.hosting import edition_of, wanted_of
from brood.serve.process import begin, here
from brood.serve.register import Place
from brood.serve.scaling import stats
from brood.serve.secret import token_of
from brood.settings import NODE, Settings

if TYPE_CHECKING:
    from brood.serve.worker import Worker

log = logging.getLogger(__name__)


class Generator:
    """A deployment of workers. Serve calls the constructor and all methods on the replica's event loop.

    Requests do not pass through Serve: ingresses keep links to the worker (`brood.remote`).

    Args:
        settings: of the server.
        group: the generator that the worker belongs to.
        directory: knows where workers are.
        host: address that links come to; ``node``: the one that Ray knows the node by.
    """

    def __init__(self, settings: Settings, group: GeneratorSettings, directory: DeploymentHandle, host: str) -> None:
        self._edition, settings = edition_of(settings), here(settings)
        metrics, self._counting = begin(settings, "generator", group.max_backlog_s or settings.max_backlog_s)
        from brood.serve.worker import Worker

        context = serve.get_replica_context()
        self._directory, self._base = DirectoryHandle(directory), base_of(wanted_of(settings))
        self._id = f"{group.name}-{context.replica_id.unique_id}"
        self._group, self._host = group.name, host
        self._app = context.app_name
        self._started = asyncio.ensure_future(self._start(partial(Worker, self._id, settings, group, metrics)))
        self._useful = False

    async def _start(self, make: Callable[[str], Worker]) -> None:
        self._worker = make(await asyncio.to_thread(token_of, self._app))
        node = ray.util.get_node_ip_address()
        address = await self._worker.start(node if self._host == NODE else self._host)
        place = Place(self._id, self._group, address, node, self._edition)
        self._reporter = Reporter(place, self._base, self._worker, self._directory.report)
        self._worker.on_done = self._reporter.tell
        self._reporter.start()
        log.info("worker %s listens on %s, process %d, settings %s", self._id, address, os.getpid(), self._edition)

    async def check_health(self) -> None:
        """Raises what is wrong; Serve then replaces the replica. The first call ends when the worker is of use."""
        await self._started
        if not self._useful:
            await self._reporter.registered.wait()
            await self._worker.useful()
            self._useful = True
        self._worker.check()

    async def record_autoscaling_stats(self) -> dict[str, float]:
        """Serve asks for these where the number of workers is not fixed."""
        return stats(self._worker.load()) if self._useful else {}

    async def wake(self) -> None:
        """Does nothing: that there is somebody to call it is all that whoever waits for a worker wants."""

    async def __del__(self) -> None:
        """Serve awaits this when it stops the replica."""
        if self._started.done() and not self._started.cancelled() and self._started.exception() is None:
            await self._reporter.stop()
            leaving = asyncio.ensure_future(self._directory.leave(self._id))
            await self._worker.stop()
            leaving.cancel()
        self._counting.close()
        log.info("worker %s has stopped, process %d", self._id, os.getpid())
