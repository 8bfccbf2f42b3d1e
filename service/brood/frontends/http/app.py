"""The HTTP application: which address leads where."""

from __future__ import annotations

from dataclasses import dataclass, field

from starlette.convertors import Convertor, register_url_convertor
from starlette.routing import Route, Router
from starlette.types import ASGIApp

from brood.access.gate import Gate, open_gate
from brood.dataplane.ids import PATTERN
from brood.dataplane.plane import DataPlane
from brood.frontends.http import oip, openai
from brood.frontends.http.border import Border
from brood.frontends.http.docs import Docs
from brood.frontends.http.generations import Generations
from brood.frontends.http.guard import Guard
from brood.frontends.http.health import Health
from brood.frontends.http.models import Models
from brood.frontends.http.pages import root
from brood.frontends.http.routing import route
from brood.store.wanted import CHANGES


@dataclass(frozen=True, slots=True)
class HttpOptions:
    """How the application meets the network."""

    # Names a Host header may have, in lower case, without port; None: any. A server on loopback must name its own, or a
    # web page could reach it through a name that it lets point here (DNS rebinding).
    hosts: frozenset[str] | None
    gate: Gate = field(default_factory=open_gate)  # shared by all transports


def build_app(plane: DataPlane, options: HttpOptions) -> ASGIApp:
    """The application over a data plane."""
    return Border(Guard(Router(routes(plane), redirect_slashes=False), options.gate, plane), options.hosts)


class RequestIdConvertor(Convertor[str]):
    """A request id in an address; it may have slashes."""

    regex = PATTERN.pattern

    def convert(self, value: str) -> str:
        """As it is."""
        return value

    def to_string(self, value: str) -> str:
        """As it is."""
        return value


register_url_convertor("request_id", RequestIdConvertor())


def routes(plane: DataPlane) -> list[Route]:
    """Every address."""
    models, health, docs, generations = Models(plane), Health(plane), Docs(plane), Generations(plane)
    return [
        route("/v1/generations", generations.create, "POST"),
        route("/v1/generations/{id:request_id}", generations.delete, "DELETE"),
        route("/v1/models", models.index),
        route("/v1/models/{name}", models.show),
        *(route(f"/v1/models/{{name}}/{each}", models.change(each), "POST") for each in CHANGES),
        route("/healthz", health.live),
        route("/readyz", health.ready),
        route("/-/healthz", health.ready),  # where KubeRay looks whether a pod belongs into the service
        route("/openapi.json", docs.openapi),
        route("/docs", docs.page),
        route("/docs/{file}", docs.file),
        *openai.routes(plane),
        *oip.routes(plane),
        route("/", root),
    ]
