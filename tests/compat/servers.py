"""The servers that clients are run against."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from brood.dataplane import DataPlane, Limits
from brood.frontends.servers import ServerOptions, Servers
from helpers.access import Keys
from helpers.backend import PAINTER, STATUSES, FakeBackend, ready
from helpers.observer import FakeObserver
from helpers.served import Served


@dataclass(frozen=True)
class Running:
    """A server that runs."""

    http_port: int
    grpc_port: int
    variables: Mapping[str, str] = field(default_factory=dict)  # environment variables for the clients

    @property
    def addresses(self) -> tuple[str, str]:
        """Of HTTP and gRPC."""
        return f"127.0.0.1:{self.http_port}", f"127.0.0.1:{self.grpc_port}"


@contextmanager
def plain(store: Path) -> Iterator[Running]:
    """`brood serve`, to whoever comes."""
    with _served("--admin", "--models", str(store)) as served:
        yield Running(served.http_port, served.grpc_port)


@contextmanager
def keyed(store: Path) -> Iterator[Running]:
    """`brood serve` that asks for keys; OpenAI's client finds server and key by itself, from the environment."""
    keys = Keys(store.parent)
    with _served("--models", str(store), "--keys-file", str(keys.path)) as served:
        variables = {
            "OPENAI_BASE_URL": f"http://127.0.0.1:{served.http_port}/v1",
            "OPENAI_API_KEY": keys.secrets["studio"],
            "SLOW_KEY": keys.secrets["slow"],
        }
        yield Running(served.http_port, served.grpc_port, variables)


@contextmanager
def fake(store: Path) -> Iterator[Running]:
    """The frontends over a backend without an engine, in this process: quick, whatever is asked for."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    backend = FakeBackend((ready(PAINTER), *STATUSES))
    plane = DataPlane(backend, Limits(), FakeObserver())
    servers = Servers(plane, ServerOptions("127.0.0.1", 0, 0))
    try:
        asyncio.run_coroutine_threadsafe(servers.start(), loop).result()
        yield Running(servers.http_port, servers.grpc_port)
    finally:
        asyncio.run_coroutine_threadsafe(servers.stop(1), loop).result()
        plane.close()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


@contextmanager
def _served(*arguments: str) -> Iterator[Served]:
    served = Served(*arguments)
    try:
        yield served
    finally:
        served.end()


SERVERS: Mapping[str, Callable[[Path], AbstractContextManager[Running]]] = {
    "plain": plain,
    "keyed": keyed,
    "fake": fake,
}
