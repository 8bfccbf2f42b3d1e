"""A gRPC server in this process, on a port of its own."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from brood.dataplane import DataPlane
from brood.frontends.grpc.server import GrpcOptions, build_server


@asynccontextmanager
async def grpc_server(plane: DataPlane) -> AsyncGenerator[str, None]:
    """Serve a data plane; yields ``HOST:PORT``."""
    server = build_server(plane, GrpcOptions(health_poll_s=0.005))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(None)
