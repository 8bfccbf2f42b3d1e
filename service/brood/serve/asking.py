"""The directory from afar: through Serve, over gRPC."""

from __future__ import annotations

from typing import Any

from ray.exceptions import RayTaskError
from ray.serve.handle import DeploymentHandle

from brood.protocol.errors import BroodError
from brood.serve.directory import Glance
from brood.serve.register import Orders, Report, View
from brood.store.wanted import Change


class DirectoryHandle:
    """Asks the directory of this application.

    Answers to calls between actors, which Serve makes by default, hold up the directory while one who asked does not
    take them: a single process that hangs would stop it. Over gRPC they do not.
    """

    def __init__(self, handle: DeploymentHandle) -> None:
        self._handle: Any = handle.options(_by_reference=False)

    async def report(self, report: Report) -> Orders:
        """See `Directory.report`."""
        orders: Orders = await self._handle.report.remote(report)
        return orders

    async def leave(self, worker_id: str) -> None:
        """See `Directory.leave`."""
        await self._handle.leave.remote(worker_id)

    async def watch(self, glance: Glance) -> View:
        """See `Directory.watch`."""
        view: View = await self._handle.watch.remote(glance)
        return view

    async def change(self, change: Change, name: str, version: int | None, within_s: float) -> None:
        """See `Directory.change`."""
        try:
            await self._handle.change.remote(change, name, version, within_s)
        except RayTaskError as error:
            raise error.cause if isinstance(error.cause, BroodError) else error from None
