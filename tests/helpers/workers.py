"""Workers in this process, behind real links."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from brood.protocol.models import ModelStatus
from brood.remote import ModelKey, OperationCost, RemoteBackend, RemoteOptions, Runner, WorkerServer, WorkerStatus
from helpers.proxy import Line, line_to

TOKEN = "a token"
PATIENCE_S = 10.0


async def until(happens: Callable[[], object]) -> None:
    """Let everything go on until something has happened."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            if happens():
                return
            await asyncio.sleep(0.001)


@dataclass
class Worker:
    """One worker; a test may change what it says of itself.

    Attributes:
        line: through which its links go; it can be cut.
    """

    worker_id: str
    backend: Runner
    models: Callable[[], Sequence[ModelStatus]]
    costs: Mapping[ModelKey, Mapping[str, OperationCost]] = field(default_factory=dict)
    interactive_s: float = 0.0
    max_backlog_s: float = 60.0
    server: WorkerServer = field(init=False)
    line: Line = field(init=False)

    def __post_init__(self) -> None:
        self.server = WorkerServer(self.backend, self.status, TOKEN)

    def status(self) -> WorkerStatus:
        """What it says."""
        return WorkerStatus(
            self.worker_id,
            tuple(self.models()),
            self.costs,
            interactive_s=self.interactive_s,
            max_backlog_s=self.max_backlog_s,
        )

    @property
    def address(self) -> str:
        """Of its line."""
        return f"127.0.0.1:{self.line.port}"

    def kill(self) -> None:
        """Cut all its links, and let nobody connect again."""
        self.line.refusing = True
        self.line.cut()

    def revive(self) -> None:
        """Let ingresses connect again."""
        self.line.refusing = False


@asynccontextmanager
async def working(worker: Worker) -> AsyncGenerator[Worker, None]:
    """A worker that listens."""
    port = await worker.server.start("127.0.0.1")
    async with line_to(f"127.0.0.1:{port}") as worker.line:
        try:
            yield worker
        finally:
            await worker.server.stop(0)


async def _nothing(name: str, version: int | None) -> None: ...


@asynccontextmanager
async def ingress(
    *workers: Worker,
    options: RemoteOptions | None = None,
    change: Callable[[str, int | None], Awaitable[None]] = _nothing,
    wake: Callable[[str], None] = lambda model: None,
) -> AsyncGenerator[RemoteBackend, None]:
    """A backend that is linked to workers."""
    backend = RemoteBackend(TOKEN, options or RemoteOptions(), load=change, unload=change, reload=change, wake=wake)
    await backend.set_workers({worker.worker_id: worker.address for worker in workers})
    await until(lambda: all(view.status is not None for view in backend.workers().values()))
    try:
        yield backend
    finally:
        await backend.stop()
