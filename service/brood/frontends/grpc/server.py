"""The gRPC server: every service over one data plane."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import grpc
from grpc_health.v1.health import SERVICE_NAME as HEALTH
from grpc_reflection.v1alpha import reflection
from grpc_reflection.v1alpha._async import ReflectionServicer
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest, ServerReflectionResponse

from brood.access.gate import Gate, open_gate
from brood.dataplane import DataPlane
from brood.frontends.grpc.generator import SERVICE, Generator
from brood.frontends.grpc.guard import Guard
from brood.frontends.grpc.health import Health
from brood.frontends.grpc.inference import SERVICE as INFERENCE
from brood.frontends.grpc.inference import InferenceService

# v1 has the messages of v1alpha; tools ask for v1 first, some for nothing else.
REFLECTION = ("grpc.reflection.v1.ServerReflection", reflection.SERVICE_NAME)
MESSAGE_BYTES = 2**31 - 1  # protobuf and gRPC know no larger messages


@dataclass(frozen=True, slots=True)
class GrpcOptions:
    """How the server behaves."""

    health_poll_s: float = 0.5  # how often a health watcher looks for a change
    max_message_bytes: int = MESSAGE_BYTES  # of an answer, and of a request where the data plane allows larger ones
    gate: Gate = field(default_factory=open_gate)  # shared by all transports
    shared_port: bool = False  # a port may be shared with another process of ours


def build_server(plane: DataPlane, options: GrpcOptions) -> grpc.aio.Server:
    """A server with Generator, GRPCInferenceService, Health and reflection; ports are not bound, and it is not started.

    A request may have ``plane.limits.max_body_bytes``: of a larger one, gRPC itself reads no more than the length and
    ends the call with RESOURCE_EXHAUSTED. Answers may have 2 GiB.
    """
    most = options.max_message_bytes
    server = grpc.aio.server(
        options=(
            ("grpc.max_receive_message_length", min(most, plane.limits.max_body_bytes)),
            ("grpc.max_send_message_length", most),
            ("grpc.so_reuseport", int(options.shared_port)),  # else a busy port is an error
        ),
    )
    health = Health(plane, [SERVICE, INFERENCE], options.health_poll_s)
    services = [Generator(plane, most).handler(), InferenceService(plane, most).handler(), health.handler()]
    server.add_generic_rpc_handlers((Guard(options.gate, plane, [*services, *_reflection()]),))
    return server


def _reflection() -> list[grpc.GenericRpcHandler[Any, Any]]:
    servicer = ReflectionServicer((SERVICE, INFERENCE, HEALTH, *REFLECTION))
    method = grpc.stream_stream_rpc_method_handler(
        servicer.ServerReflectionInfo,
        request_deserializer=ServerReflectionRequest.FromString,
        response_serializer=ServerReflectionResponse.SerializeToString,
    )
    return [grpc.method_handlers_generic_handler(name, {"ServerReflectionInfo": method}) for name in REFLECTION]
