"""brood without ports of its own: the application and the engine, for servers of others to call."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from brood.dataplane.statistics import CountingSteps, Statistics
from brood.frontends.http.app import HttpOptions, build_app
from brood.host.host import Host
from brood.observe.metrics import Metrics
from brood.serve.colocated import Colocated, tells
from brood.serve.front import Front
from brood.serve.hosting import host_options
from brood.serve.waiting import until
from brood.settings import Settings


def settings_of(store: str, http_port: int = 0, grpc_port: int = 0) -> Settings:
    """As the other servers of a comparison have them."""
    return Settings(models=Path(store), threads=1, http_port=http_port, grpc_port=grpc_port, parity_every_s=0)


class Behind:
    """An ASGI application over all models of a store, which are loaded when it is started (ASGI lifespan)."""

    def __init__(self, store: str) -> None:
        settings, metrics, statistics = settings_of(store), Metrics(), Statistics()
        self._host = Host(host_options(settings), CountingSteps(statistics, metrics), tells(metrics))
        front = Front(settings, self._host, metrics, statistics)
        self._app = build_app(front.plane, HttpOptions(hosts=None))

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "lifespan":
            await self._app(scope, receive, send)
            return
        while (message := await receive())["type"] != "lifespan.shutdown":
            await self._host.start()
            await send({"type": f"{message['type']}.complete"})
        await self._host.stop()
        await send({"type": f"{message['type']}.complete"})


async def serve_bare(store: str, http_port: int, grpc_port: int) -> Colocated:
    """brood as it is, in this process and without Ray, with its models ready."""
    server = Colocated(settings_of(store, http_port, grpc_port), Metrics())
    await server.start()
    await until(lambda: server.useful)
    return server
