"""Every address stands in the table, and what does not is closed."""

from __future__ import annotations

import pytest
from starlette.routing import Route

from brood.access.verbs import Verb
from brood.dataplane import DataPlane, Limits
from brood.frontends.http.app import routes
from brood.frontends.http.verbs import verb_of
from helpers.backend import FakeBackend
from helpers.observer import FakeObserver

EXPECTED: dict[str, Verb] = {
    "GET /": "open",
    "GET /healthz": "open",
    "GET /-/healthz": "open",
    "GET /readyz": "open",
    "GET /openapi.json": "open",
    "GET /docs": "open",
    "GET /docs/{file}": "open",
    "GET /v2/health/live": "open",
    "GET /v2/health/ready": "open",
    "GET /v2/models/{name}/ready": "open",
    "GET /v2/models/{name}/versions/{version}/ready": "open",
    "DELETE /v1/generations/{id:request_id}": "cancel",
    "POST /v1/generations": "generate",
    "POST /v1/images/generations": "generate",
    "POST /v1/images/edits": "generate",
    "POST /v1/images/variations": "generate",
    "POST /v2/repository/index": "read",
}


def expected(method: str, path: str) -> Verb:
    """Spelt out for whatever does not only read; samples are made wherever a path ends so."""
    if (verb := EXPECTED.get(f"{method} {path}")) is not None:
        return verb
    if method == "GET":
        return "read"
    return "generate" if path.endswith(("/infer", "/generate", "/generate_stream")) else "admin"


def test_every_address_has_its_verb() -> None:
    plane = DataPlane(FakeBackend(), Limits(), FakeObserver())
    seen = set()
    for route in routes(plane):
        assert isinstance(route, Route)
        for method in (route.methods or set()) - {"HEAD"}:
            assert verb_of(method, route.path) == expected(method, route.path), (method, route.path)
            seen.add(f"{method} {route.path}")
    assert {name for name in EXPECTED if "/v1/images" not in name} <= seen
    plane.close()


@pytest.mark.parametrize(
    ("method", "path", "verb"),
    [
        ("HEAD", "/healthz", "open"),
        ("GET", "/healthz/", "read"),
        ("GET", "/v2/health/live/x", "read"),
        ("POST", "/healthz", "admin"),
        ("OPTIONS", "/v1/generations", "admin"),
        ("DELETE", "/v1/generations/a/b", "cancel"),
        ("DELETE", "/v1/models/tiny", "admin"),
        ("POST", "/v1/generations/", "admin"),
        ("POST", "/v2/models/tiny/infer\n", "admin"),
        ("GET", "/v2/models/a/b/ready", "read"),
        ("POST", "/v2/repository/models/index/load", "admin"),
        ("get", "/healthz", "admin"),
    ],
)
def test_what_only_looks_alike(method: str, path: str, verb: str) -> None:
    assert verb_of(method, path) == verb
