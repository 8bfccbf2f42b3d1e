"""From a server's address and the name of a protocol to a way to it."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from urllib.parse import SplitResult, urlsplit

from brood.loadgen.orders import Order
from brood.loadgen.outcome import Answer
from brood.protocol.errors import invalid

FORMS = "http://HOST:PORT, https://HOST:PORT, grpc://HOST:PORT, grpcs://HOST:PORT"
PROTOCOLS = {"http": ("http", "oip", "openai"), "grpc": ("grpc", "oip-grpc")}  # by scheme; the first is the default
PORTS = {"http": 80, "https": 443}
Clock = Callable[[], float]


class Way(Protocol):
    """A way to a server."""

    async def send(self, order: Order, seed: int) -> Answer:
        """Send a request and wait for the whole answer.

        Raises:
            Failed: the answer did not come, is an error, or is not what was asked for.
        """
        ...

    async def aclose(self) -> None:
        """Leave the server."""
        ...


@dataclass(frozen=True, slots=True)
class Target:
    """A server, and how to speak with it."""

    url: str
    protocol: str = ""  # one of `PROTOCOLS`; empty: the scheme's own
    stream: bool = False  # events rather than one answer
    connections: int = 512  # most at a time, over HTTP
    api_key: str | None = field(default=None, repr=False)
    tls_roots: Path | None = None  # PEM file


def open_way(target: Target, now: Clock) -> Way:
    """A way to a server, for the running loop; it connects when it is used.

    Raises:
        InvalidArgument: the URL has another form, or the protocol is not of its scheme, or has no streams.
        OSError: the file for TLS cannot be read.
    """
    parts = urlsplit(target.url)
    kind = parts.scheme.removesuffix("s")
    if kind not in PROTOCOLS or not parts.hostname or parts.path.strip("/"):
        raise invalid("url", target.url, FORMS)
    protocol = target.protocol or PROTOCOLS[kind][0]
    if protocol not in PROTOCOLS[kind]:
        raise invalid("protocol", protocol, f"{', '.join(PROTOCOLS[kind])} with {parts.scheme}://")
    if target.stream and protocol.startswith("oip"):
        raise invalid("protocol", protocol, "http, openai or grpc, with streams")
    return (_http if kind == "http" else _grpc)(target, parts, protocol, now)


def _http(target: Target, parts: SplitResult, protocol: str, now: Clock) -> Way:
    from brood.loadgen.http.oip import OipHttp
    from brood.loadgen.http.openai import OpenAi
    from brood.loadgen.http.own import OwnHttp, OwnStream
    from brood.loadgen.http.pool import Pool
    from brood.loadgen.http.way import Codec, HttpWay

    codecs: dict[str, Callable[[], Codec]] = {
        "http": OwnStream if target.stream else OwnHttp,
        "oip": OipHttp,
        "openai": lambda: OpenAi(target.stream),
    }
    tls = ssl.create_default_context(cafile=target.tls_roots) if parts.scheme == "https" else None
    host, port = str(parts.hostname), parts.port or PORTS[parts.scheme]
    headers = {} if target.api_key is None else {"Authorization": f"Bearer {target.api_key}"}
    return HttpWay(Pool(host, port, tls, target.connections), parts.netloc, headers, codecs[protocol](), now)


def _grpc(target: Target, parts: SplitResult, protocol: str, now: Clock) -> Way:
    import grpc

    from brood.loadgen.rpc.oip import OipGrpc
    from brood.loadgen.rpc.own import OwnGrpc, OwnGrpcStream
    from brood.loadgen.rpc.way import OPTIONS, Call, GrpcWay

    if parts.scheme == "grpcs":
        roots = target.tls_roots.read_bytes() if target.tls_roots else None
        channel = grpc.aio.secure_channel(parts.netloc, grpc.ssl_channel_credentials(roots), options=OPTIONS)
    else:
        channel = grpc.aio.insecure_channel(parts.netloc, options=OPTIONS)
    metadata = () if target.api_key is None else (("authorization", f"Bearer {target.api_key}"),)
    call: Call
    if protocol == "oip-grpc":
        call = OipGrpc(channel, metadata)
    else:
        call = OwnGrpcStream(channel, metadata, now) if target.stream else OwnGrpc(channel, metadata)
    return GrpcWay(channel, call)
