"""The gRPC server: every service over one data plane."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import grpc
from grpc_health.v1.health import SERVICE_NAME as HEALTH
from grpc_reflection.v1alpha import reflection
from grpc_reflection.v1alpha._async import ReflectionServicer
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest, ServerReflectionResponse

from brood.dataplane import DataPlane
from brood.frontends.grpc.generator import SERVICE, Generator
from brood.frontends.grpc.health import Health

# v1 has the messages of v1alpha; tools ask for v1 first, some for nothing else.
REFLECTION = ("grpc.reflection.v1.ServerReflection", reflection.SERVICE_NAME)


@dataclass(frozen=True, slots=True)
class GrpcOptions:
    """How the server behaves."""

    health_poll_s: float = 0.5  # how often a health watcher looks for a change


def build_server(plane: DataPlane, options: GrpcOptions) -> grpc.aio.Server:
    """A server with Generator, Health and reflection; ports are not bound, and it is not started.

    Messages may have ``plane.limits.max_body_bytes`` either way. Of larger ones, gRPC itself reads no more than the
    length and ends the call with RESOURCE_EXHAUSTED.
    """
    most = plane.limits.max_body_bytes
    server = grpc.aio.server(
        options=(
            ("grpc.max_receive_message_length", most),
            ("grpc.max_send_message_length", most),
            ("grpc.so_reuseport", 0),  # a busy port is an error, not shared
        )
    )
    health = Health(plane, [SERVICE], options.health_poll_s)
    server.add_generic_rpc_handlers([Generator(plane).handler(), health.handler(), *_reflection()])
    return server


def _reflection() -> list[grpc.GenericRpcHandler[Any, Any]]:
    servicer = ReflectionServicer((SERVICE, HEALTH, *REFLECTION))
    method = grpc.stream_stream_rpc_method_handler(
        servicer.ServerReflectionInfo,
        request_deserializer=ServerReflectionRequest.FromString,
        response_serializer=ServerReflectionResponse.SerializeToString,
    )
    return [grpc.method_handlers_generic_handler(name, {"ServerReflectionInfo": method}) for name in REFLECTION]
