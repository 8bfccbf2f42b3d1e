"""Which address under ``/v2`` leads where."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.routing import Route

from brood.dataplane.plane import DataPlane
from brood.frontends.http.oip.generate import Generate
from brood.frontends.http.oip.infer import Infer
from brood.frontends.http.oip.models import Models, unsupported
from brood.frontends.http.routing import route

Endpoint = Callable[[Request], Awaitable[Any]]
NOT_OFFERED = (
    "/v2/systemsharedmemory/{rest:path}",
    "/v2/cudasharedmemory/{rest:path}",
    "/v2/trace/setting",
    "/v2/models/{name}/trace/setting",
    "/v2/logging",
)


def routes(plane: DataPlane) -> list[Route]:
    """Every address."""
    models, infer, generate = Models(plane), Infer(plane), Generate(plane)
    return [
        route("/v2", models.server),
        route("/v2/health/live", models.live),
        route("/v2/health/ready", models.ready),
        route("/v2/models", models.names),
        route("/v2/models/stats", models.statistics),
        route("/v2/repository/index", models.index, "POST"),
        route("/v2/repository/models/{name}/load", models.load, "POST"),
        route("/v2/repository/models/{name}/unload", models.unload, "POST"),
        *(route(path, unsupported, "GET", "POST") for path in NOT_OFFERED),
        *_of_model("", models.metadata),
        *_of_model("/ready", models.model_ready),
        *_of_model("/config", models.config),
        *_of_model("/stats", models.statistics),
        *_of_model("/infer", infer.infer, "POST"),
        *_of_model("/generate", generate.whole, "POST"),
        *_of_model("/generate_stream", generate.stream, "POST"),
    ]


def _of_model(path: str, endpoint: Endpoint, method: str = "GET") -> list[Route]:
    """An address of a model, and of one version of it."""
    return [
        route(f"/v2/models/{{name}}{path}", endpoint, method),
        route(f"/v2/models/{{name}}/versions/{{version}}{path}", endpoint, method),
    ]
