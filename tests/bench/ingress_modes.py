"""The servers that bench_ingress.py and bench_topologies.py compare: the same work, reached in different ways.

python tests/bench/ingress_modes.py MODE HTTP_PORT GRPC_PORT [STORE]
prints "ready HTTP_PORT GRPC_PORT" and serves until its standard input ends. Without a store a call does nothing, over
HTTP and gRPC; with one it is a request to brood's models (`bare`, and over HTTP the three ways of Serve).

Modes: `bare` (no Ray), `own` (a Serve replica with one event loop that opens its own ports), `own-thread` (the same on
the second event loop that Serve runs by default), `direct` (Serve's direct ingress, which picks its ports itself),
`haproxy`, `proxy` (Serve's default proxy).
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
import psutil
import uvicorn

from brood.protocol.wire.generator_pb2 import ListModelsRequest, ListModelsResponse

TESTS = str(Path(__file__).resolve().parents[1])
sys.path.insert(0, TESTS)  # it is a command, and has modules of this directory read where they are needed
SERVICE, METHOD = "brood.v1.Generator", "ListModels"
HOST = "127.0.0.1"
FLAGS = {
    "own": {"RAY_SERVE_RUN_USER_CODE_IN_SEPARATE_THREAD": "0"},
    "haproxy": {"RAY_SERVE_ENABLE_HA_PROXY": "1"},
    "direct": {"RAY_SERVE_ENABLE_DIRECT_INGRESS": "1"},
}
ANSWER = b"ok"
Send = Callable[[dict[str, Any]], Awaitable[None]]


async def application(scope: dict[str, Any], receive: Callable[[], Awaitable[dict[str, Any]]], send: Send) -> None:
    """The least that answers HTTP."""
    if scope["type"] == "http":
        headers = [(b"content-length", str(len(ANSWER)).encode()), (b"content-type", b"text/plain")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": ANSWER})


async def list_models(request: ListModelsRequest, context: object = None) -> ListModelsResponse:
    """The least that answers gRPC; Serve's proxy gives no context."""
    return ListModelsResponse()


def handlers() -> grpc.GenericRpcHandler[Any, Any]:
    """The gRPC service of own servers."""
    method = grpc.unary_unary_rpc_method_handler(
        list_models, ListModelsRequest.FromString, ListModelsResponse.SerializeToString
    )
    return grpc.method_handlers_generic_handler(SERVICE, {METHOD: method})


class OwnServers:
    """Opens both ports on the event loop that `start` runs on."""

    def __init__(self, http_port: int, grpc_port: int) -> None:
        self._ports = (http_port, grpc_port)

    async def start(self) -> None:
        http_port, grpc_port = self._ports
        self._grpc = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        self._grpc.add_generic_rpc_handlers([handlers()])
        self._grpc.add_insecure_port(f"{HOST}:{grpc_port}")
        await self._grpc.start()
        listener = socket.create_server((HOST, http_port), backlog=128)
        config = uvicorn.Config(application, log_config=None, access_log=False, lifespan="off", ws="none")
        self._http = uvicorn.Server(config)
        self._serving = asyncio.ensure_future(self._http._serve([listener]))


class OwnReplica:
    """The servers in a Serve replica."""

    def __init__(self, http_port: int, grpc_port: int) -> None:
        self._servers = OwnServers(http_port, grpc_port)

    async def check_health(self) -> None:
        if not hasattr(self._servers, "_http"):
            await self._servers.start()


def build_application() -> Any:
    """For Serve, which takes a plain function for a builder of an application."""
    return application


def brood_behind_serve(store: str) -> type:
    """brood's application and engine in a replica that opens no ports."""
    from ray import serve

    from bench.behind import Behind

    ingress: type = serve.ingress(lambda: Behind(store))(type("Proxied", (), {}))
    return ingress


def nothing_behind_serve() -> type:
    """The call that does nothing, over HTTP and gRPC."""
    from ray import serve

    async def method(self: object, request: ListModelsRequest) -> ListModelsResponse:
        return await list_models(request)

    proxied = type("Proxied", (), {METHOD: method})  # Serve finds it by the RPC's name
    ingress: type = serve.ingress(build_application)(proxied)
    return ingress


def serve_on_ray(mode: str, http_port: int, grpc_port: int, store: str | None) -> tuple[int, int]:
    """Start Ray and Serve; the ports to call."""
    # Ray's workers would run at niceness 15, behind the client.
    os.environ.update({"RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0", **FLAGS.get(mode, {})})
    if store is not None:
        os.environ.update(FLAGS["own"])  # the engine on Serve's own event loop, as `brood serve` has it
        os.environ["PYTHONPATH"] = os.pathsep.join([TESTS, os.environ.get("PYTHONPATH", "")])  # of replicas
    import ray
    from ray import serve
    from ray.serve.config import HTTPOptions, ProxyLocation, gRPCOptions

    for name in ("ray", "ray.serve"):
        logging.getLogger(name).setLevel(logging.ERROR)
    ray.init(
        address="local",
        include_dashboard=False,
        object_store_memory=75 * 2**20,
        num_cpus=2,
        log_to_driver=False,
        logging_level=logging.ERROR,
    )
    options: dict[str, Any] = {"ray_actor_options": {"num_cpus": 0}, "max_ongoing_requests": 1000}
    quiet = {"log_level": "ERROR", "enable_access_log": False}
    if mode in ("own", "own-thread"):
        serve.start(proxy_location=ProxyLocation.Disabled, logging_config=quiet)
        serve.run(serve.deployment(OwnReplica, **options).bind(http_port, grpc_port), route_prefix=None)
        return http_port, grpc_port
    serve.start(
        proxy_location=ProxyLocation.HeadOnly,
        http_options=HTTPOptions(host=HOST, port=http_port),
        grpc_options=gRPCOptions(
            port=grpc_port,
            grpc_servicer_functions=["brood.protocol.wire.generator_pb2_grpc.add_GeneratorServicer_to_server"],
        ),
        logging_config=quiet,
    )

    target = nothing_behind_serve() if store is None else brood_behind_serve(store)
    serve.run(serve.deployment(target, **options).bind())
    return _direct_ports() if mode == "direct" else (http_port, grpc_port)


def _direct_ports() -> tuple[int, int]:
    """Where the replica of direct ingress listens: Serve takes HTTP ports from 30000 on, gRPC ports from 40000 on."""
    replica = next(p for p in psutil.Process().children(recursive=True) if "ServeReplica" in " ".join(p.cmdline()))
    ports = [connection.laddr.port for connection in replica.net_connections("inet") if connection.status == "LISTEN"]
    return next(p for p in ports if 30_000 <= p < 31_000), next(p for p in ports if 40_000 <= p < 41_000)


async def _bare(http_port: int, grpc_port: int, store: str | None) -> object:
    """Servers without Ray, which run as long as they are kept."""
    if store is not None:
        from bench.behind import serve_bare

        return await serve_bare(store, http_port, grpc_port)
    servers = OwnServers(http_port, grpc_port)
    await servers.start()
    return servers


def stop_ray() -> None:
    """Serve first: it ends its proxies."""
    import ray
    from ray import serve

    serve.shutdown()
    ray.shutdown()


def main() -> None:
    mode, http_port, grpc_port = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    store = sys.argv[4] if len(sys.argv) > 4 else None
    if mode == "bare":
        import uvloop

        async def run() -> None:
            kept = await _bare(http_port, grpc_port, store)  # as long as this runs
            print("ready", http_port, grpc_port, flush=True)
            await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
            del kept
            os._exit(0)

        uvloop.run(run())
    print("ready", *serve_on_ray(mode, http_port, grpc_port, store), flush=True)
    sys.stdin.read()  # until the pipe is closed
    stop_ray()


if __name__ == "__main__":
    main()
