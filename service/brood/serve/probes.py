"""Does a port answer? Asked as a client would ask, from this machine."""

from __future__ import annotations

import asyncio
import ssl

import grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest
from grpc_health.v1.health_pb2_grpc import HealthStub

from brood.serve.errors import Unhealthy


async def probe_http(host: str, port: int) -> None:
    """``/healthz`` answers.

    Raises:
        Unhealthy, OSError: it does not.
    """
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        status = await reader.readline()
    finally:
        writer.close()
    if b" 200 " not in status:
        raise Unhealthy(f"/healthz answers {status!r}")


async def probe_grpc(host: str, port: int) -> None:
    """The server answers; whether the models are ready is another question.

    Raises:
        AioRpcError: it does not.
    """
    async with grpc.aio.insecure_channel(f"[{host}]:{port}" if ":" in host else f"{host}:{port}") as channel:
        await HealthStub(channel).Check(HealthCheckRequest())


async def probe_tls(host: str, port: int) -> None:
    """The server shakes hands. More cannot be asked where callers must show a certificate, for we have none to show.

    Raises:
        OSError: it does not.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # our own port, of which we know the number
    context.set_alpn_protocols(["h2", "http/1.1"])
    _, writer = await asyncio.open_connection(host, port, ssl=context)
    writer.close()
