"""The HTTP application: which address leads where."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.routing import Route, Router
from starlette.types import ASGIApp

from brood.dataplane.plane import DataPlane
from brood.frontends.http.border import Border
from brood.frontends.http.docs import Docs
from brood.frontends.http.generations import Generations
from brood.frontends.http.health import Health
from brood.frontends.http.models import Models
from brood.frontends.http.pages import root


@dataclass(frozen=True, slots=True)
class HttpOptions:
    """How the application meets the network."""

    # Names a Host header may have, in lower case, without port; None: any. A server on loopback must name its own, or a
    # web page could reach it through a name that it lets point here (DNS rebinding).
    hosts: frozenset[str] | None


def build_app(plane: DataPlane, options: HttpOptions) -> ASGIApp:
    """The application over a data plane."""
    return Border(Router(routes(plane), redirect_slashes=False), options.hosts)


def routes(plane: DataPlane) -> list[Route]:
    """Every address."""
    models, health, docs = Models(plane), Health(plane), Docs(plane)
    return [
        Route("/v1/generations", Generations(plane).create, methods=["POST"]),
        Route("/v1/models", models.index),
        Route("/v1/models/{name}", models.show),
        Route("/healthz", health.live),
        Route("/readyz", health.ready),
        Route("/openapi.json", docs.openapi),
        Route("/docs", docs.page),
        Route("/docs/{file}", docs.file),
        Route("/", root),
    ]
