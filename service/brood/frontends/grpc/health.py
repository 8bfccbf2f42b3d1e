"""``grpc.health.v1.Health``: serving while the data plane is ready."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Any

import grpc
from grpc_health.v1.health import SERVICE_NAME
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from brood.dataplane import DataPlane

Context = grpc.aio.ServicerContext[HealthCheckRequest, HealthCheckResponse]


class Health:
    """Answers for the whole server (service ``""``) and for each service it holds.

    Readiness is asked for, not pushed: `check` always tells the truth of this moment, and `watch` looks every
    ``poll_s`` seconds.
    """

    def __init__(self, plane: DataPlane, services: Collection[str], poll_s: float) -> None:
        self._plane, self._services, self._poll_s = plane, frozenset({"", *services}), poll_s

    def handler(self) -> grpc.GenericRpcHandler[Any, Any]:
        """The service, for a server."""
        kinds = {
            "request_deserializer": HealthCheckRequest.FromString,
            "response_serializer": HealthCheckResponse.SerializeToString,
        }
        methods = {
            "Check": grpc.unary_unary_rpc_method_handler(self.check, **kinds),
            "Watch": grpc.unary_stream_rpc_method_handler(self.watch, **kinds),
        }
        return grpc.method_handlers_generic_handler(SERVICE_NAME, methods)

    def _status(self, service: str) -> HealthCheckResponse.ServingStatus:
        if service not in self._services:
            return HealthCheckResponse.SERVICE_UNKNOWN
        return HealthCheckResponse.SERVING if self._plane.ready().ready else HealthCheckResponse.NOT_SERVING

    async def check(self, request: HealthCheckRequest, context: Context) -> HealthCheckResponse:
        """The status now; NOT_FOUND for a service that is not here."""
        status = self._status(request.service)
        if status == HealthCheckResponse.SERVICE_UNKNOWN:
            known = ", ".join(repr(name) for name in sorted(self._services))
            await context.abort(grpc.StatusCode.NOT_FOUND, f"no service {request.service!r}; there are: {known}")
        return HealthCheckResponse(status=status)

    async def watch(self, request: HealthCheckRequest, context: Context) -> None:
        """The status now, and again whenever it changes, until the caller leaves or the server stops.

        (A watcher that stayed would hold up the server's graceful end.)
        """
        told = None
        while True:
            stopping, status = self._plane.stopping, self._status(request.service)
            if status != told:
                await context.write(HealthCheckResponse(status=status))
                told = status
            if stopping:
                return
            await asyncio.sleep(self._poll_s)
