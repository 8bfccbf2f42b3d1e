"""Methods of gRPC without gRPC: bytes in, bytes out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from brood.dataplane import DataPlane
from brood.frontends.grpc.generator import SERVICE, Generator
from brood.frontends.grpc.server import MESSAGE_BYTES
from brood.protocol.wire import generator_pb2 as pb


def generate(plane: DataPlane) -> Callable[[bytes], Awaitable[bytes]]:
    """``brood.v1.Generator/Generate``."""
    details: Any = _Details(f"/{SERVICE}/Generate")
    handler: Any = Generator(plane, MESSAGE_BYTES).handler().service(details)
    return lambda content: handler.unary_unary(content, _Context())


def message(model: str, seed: int) -> bytes:
    """A request for one sample as raw bytes."""
    request = pb.GenerateRequest(model=model, n=1, seed=seed)
    request.output.format = "raw"
    return request.SerializeToString()


class _Details:
    """As much of `grpc.HandlerCallDetails` as a service asks for."""

    def __init__(self, method: str) -> None:
        self.method, self.invocation_metadata = method, ()


class _Context:
    """As much of a call's context as the method asks for."""

    def invocation_metadata(self) -> tuple[()]:
        return ()

    def time_remaining(self) -> None:
        return
