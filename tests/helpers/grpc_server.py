"""A gRPC server in this process, on a port of its own."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from brood.access.gate import Gate, open_gate
from brood.dataplane import DataPlane
from brood.frontends.grpc.server import MESSAGE_BYTES, GrpcOptions, build_server


@asynccontextmanager
async def grpc_server(
    plane: DataPlane, max_message_bytes: int = MESSAGE_BYTES, gate: Gate | None = None
) -> AsyncGenerator[str, None]:
    """Serve a data plane; yields ``HOST:PORT``."""
    options = GrpcOptions(health_poll_s=0.005, max_message_bytes=max_message_bytes, gate=gate or open_gate())
    server = build_server(plane, options)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(None)
