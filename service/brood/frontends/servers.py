"""The listening servers of one process: HTTP by uvicorn, gRPC by grpc.aio, on the event loop that starts them."""

from __future__ import annotations

import asyncio
import errno
import math
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import grpc
import uvicorn

from brood.access.gate import Gate, open_gate
from brood.dataplane.plane import DataPlane
from brood.frontends.grpc.server import GrpcOptions, build_server
from brood.frontends.http.app import HttpOptions, build_app
from brood.frontends.http.connections import PatientProtocol
from brood.frontends.http.hosts import in_authority, own_names
from brood.frontends.tls import Tls, grpc_credentials, server_context

BACKLOG = 2048  # connections waiting to be accepted
CLOSED_S = 0.5  # by then a server that ends listens no more
KEEP_ALIVE_S = 75  # longer than load balancers keep idle connections, so that they close first


class PortInUse(Exception):
    """Somebody listens there already.

    Args:
        port: its number.
        name: what it is for: "http", "grpc", "metrics".
        by: who that is, if it is known.
    """

    def __init__(self, port: int, name: str, by: str = "") -> None:
        super().__init__(port, name, by)
        self.port, self.name, self.by = port, name, by

    def __str__(self) -> str:
        in_use = f"port {self.port} is in use" + (f" by {self.by}" if self.by else "")
        return f"{in_use}; end what listens there, or choose another with --{self.name}-port"


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """Where to listen, and whom to let in."""

    host: str  # address or name
    http_port: int  # 0: any
    grpc_port: int  # 0: any
    names: tuple[str, ...] = ()  # more names that callers may know a loopback server by
    gate: Gate = field(default_factory=open_gate)  # that both pass
    tls: Tls | None = None  # None: in the clear
    shared: bool = False  # the ports may be shared with another process of ours, which takes over or is about to end


class Servers:
    """Both servers, from start to stop.

    Attributes:
        http_port, grpc_port: as bound; valid after `start`.
    """

    def __init__(self, plane: DataPlane, options: ServerOptions) -> None:
        self._plane, self._options = plane, options
        self.http_port, self.grpc_port = options.http_port, options.grpc_port
        self._open: _Open | None = None

    async def start(self) -> None:
        """Listen.

        Raises:
            PortInUse: somebody listens on one of the ports already; nothing is left open.
            OSError: this machine has no such address, or the port may not be used.
            TlsError: a certificate cannot be used.
        """
        options = self._options
        listener = listen(options.host, options.http_port, "http", options.shared)
        self.http_port = listener.getsockname()[1]
        try:
            rpc = build_server(self._plane, GrpcOptions(gate=options.gate, shared_port=options.shared))
            self.grpc_port = _bind_grpc(rpc, options)
        except BaseException:
            listener.close()
            raise
        await rpc.start()
        http = _Uvicorn(_config(self._plane, options))
        self._open = _Open(rpc, http, asyncio.create_task(http.serve(sockets=[listener]), name="brood-http"))
        await http.up.wait()

    async def stop(self, grace_s: float) -> None:
        """Take no more requests, let those that run finish for at most ``grace_s`` seconds, and close.

        Does nothing more where `start` was not called or did not get far.
        """
        if self._open is None or not self._options.shared:
            self._plane.stop_accepting()
        if self._open is None:
            return
        self._open.http.config.timeout_graceful_shutdown = math.ceil(grace_s)
        self._open.http.should_exit = True
        ending = asyncio.gather(self._open.serving, self._open.rpc.stop(grace_s))
        if self._options.shared:  # another process has the ports, too: what still comes in here is no reason to refuse
            await asyncio.wait([ending], timeout=CLOSED_S)
            self._plane.stop_accepting()
        await ending


def listen(host: str, port: int, name: str, shared: bool = False) -> socket.socket:
    """A listening socket; if shared, beside others of the same user that are shared (SO_REUSEPORT).

    Raises:
        PortInUse: somebody listens there already.
        OSError: this machine has no such address, or the port may not be used.
    """
    family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, kind)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise PortInUse(port, name) from error
        raise
    return listener


def _bind_grpc(server: grpc.aio.Server, options: ServerOptions) -> int:
    # gRPC tells no reasons, and logs on its own: whether the port is free is found out before.
    listen(options.host, options.grpc_port, "grpc", options.shared).close()
    address = f"{in_authority(options.host)}:{options.grpc_port}"
    try:
        if options.tls is None:
            return server.add_insecure_port(address)
        return server.add_secure_port(address, grpc_credentials(options.tls))
    except RuntimeError as error:
        raise PortInUse(options.grpc_port, "grpc") from error


def _config(plane: DataPlane, options: ServerOptions) -> uvicorn.Config:
    tls = None if options.tls is None else server_context(options.tls)
    return uvicorn.Config(
        build_app(plane, HttpOptions(own_names(options.host, options.names), options.gate)),
        http=PatientProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        ssl_context_factory=None if tls is None else lambda *_: tls,
    )


class _Uvicorn(uvicorn.Server):
    """Uvicorn inside a larger process: signals are not its business, and it says when it is up."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = asyncio.Event()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.up.set()


@dataclass(frozen=True, slots=True)
class _Open:
    """What `Servers.start` has opened."""

    rpc: grpc.aio.Server
    http: _Uvicorn
    serving: asyncio.Task[None]
