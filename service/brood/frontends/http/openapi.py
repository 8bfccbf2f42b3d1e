"""The OpenAPI document, made from the classes that read requests and describe answers.

It is of version 3.0.3 (https://spec.openapis.org/oas/v3.0.3), which the viewer at ``/docs`` and most generators of
clients read; pydantic speaks JSON Schema 2020-12, and `openapi_30` translates.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from brood import __version__
from brood.frontends.http.openapi_30 import openapi_30
from brood.frontends.http.schema import ErrorView, GenerationView, LiveView, ModelsView, ModelView, ReadyView
from brood.protocol.manifest import Operation
from brood.protocol.models import ModelStatus
from brood.protocol.requests import GenerateRequest

Json = dict[str, Any]

SENT: tuple[type[BaseModel], ...] = (GenerationView, ModelsView, ModelView, LiveView, ReadyView, ErrorView)
REFUSALS = {
    "400": "a field has a value that is not allowed",
    "404": "no such model",
    "406": "the answer cannot be given in the form asked for",
    "409": "samples that are bit for bit reproducible are not to be had here",
    "413": "the body is too large",
    "415": "the body is not JSON",
    "422": "a sample came out non-finite, or the deadline is too short for the samples",
    "429": "too much is waiting; Retry-After tells when to come back",
    "500": "an error of the server",
    "503": "the model failed to load, is loading, or the server is stopping",
    "504": "the deadline passed",
}
HEADERS = ("Seed", "Index", "Model", "Version", "Determinism")


def document(statuses: Sequence[ModelStatus]) -> Json:
    """The document, with an example for every operation of the models that are ready."""
    name: Json = {"name": "name", "in": "path", "required": True, "schema": {"type": "string"}}
    newest: Json = {
        "name": "version",
        "in": "query",
        "description": "default: the newest that is ready",
        "schema": {"type": "integer", "minimum": 1},
    }
    return {
        "openapi": "3.0.3",
        "info": {"title": "brood", "version": __version__, "description": "Samples of trained generative models."},
        "paths": {
            "/v1/generations": {"post": _generations(statuses)},
            "/v1/models": {"get": _get("All models with their states.", ModelsView)},
            "/v1/models/{name}": {"get": _get("One model.", ModelView, "400", "404") | {"parameters": [name, newest]}},
            "/healthz": {"get": _get("Whether the process lives.", LiveView)},
            "/readyz": {"get": _ready()},
        },
        "components": {"schemas": _schemas()},
    }


@cache
def _schemas() -> Json:
    modes: list[tuple[type[BaseModel], JsonSchemaMode]] = [(view, "serialization") for view in SENT]
    _, schema = models_json_schema(
        [(GenerateRequest, "validation"), *modes], ref_template="#/components/schemas/{model}"
    )
    return {name: openapi_30(part) for name, part in schema["$defs"].items()}


def _generations(statuses: Sequence[ModelStatus]) -> Json:
    content: Json = _content(GenerateRequest)
    content["application/json"]["examples"] = _examples(statuses)
    file: Json = {"schema": {"type": "string", "format": "binary"}}
    good: Json = {
        "description": "All samples; or, where Accept asks for it and n is 1, the bytes of the only image or tensor.",
        "headers": {f"X-Brood-{name}": {"schema": {"type": "string"}, "description": "with bytes"} for name in HEADERS},
        "content": _content(GenerationView) | {"image/png": file, "application/x-npy": file},
    }
    return {
        "summary": "Make samples.",
        "description": _offer(statuses),
        "requestBody": {"required": True, "content": content},
        "responses": {"200": good, **_refusals(*REFUSALS)},
    }


def _get(summary: str, view: type[BaseModel], *refusals: str) -> Json:
    good: Json = {"description": "OK", "content": _content(view)}
    return {"summary": summary, "responses": {"200": good, **_refusals(*refusals)}}


def _ready() -> Json:
    operation = _get("Whether work can be sent.", ReadyView)
    operation["responses"]["503"] = {"description": "not ready; says why", "content": _content(ReadyView)}
    return operation


def _refusals(*statuses: str) -> Json:
    return {status: {"description": REFUSALS[status], "content": _content(ErrorView)} for status in statuses}


def _content(view: type[BaseModel]) -> Json:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{view.__name__}"}}}


def _ready_operations(statuses: Sequence[ModelStatus]) -> list[tuple[ModelStatus, str, Operation]]:
    return [
        (status, name, operation)
        for status in statuses
        if status.state == "ready" and status.manifest is not None
        for name, operation in status.manifest.operations.items()
    ]


def _examples(statuses: Sequence[ModelStatus]) -> Json:
    """A body to send as it is, for every operation that needs no inputs."""
    return {
        f"{status.name} {status.version} {name}": {
            "value": {
                "model": status.name,
                "version": status.version,
                "operation": name,
                "seed": 7,
                "params": {key: _instance(param.default, param.minimum) for key, param in operation.params.items()},
            }
        }
        for status, name, operation in _ready_operations(statuses)
        if not operation.inputs
    }


def _instance(default: object, minimum: float | None) -> object:
    return default if default is not None else int(minimum or 0)


def _offer(statuses: Sequence[ModelStatus]) -> str:
    """In Markdown: what every model can do."""
    lines = [
        f"- **{status.name}** {status.version} `{name}`: "
        + "; ".join(
            [
                operation.description or name,
                *_words("parameters", operation.params),
                *_words("inputs", operation.inputs),
            ]
        )
        for status, name, operation in _ready_operations(statuses)
    ]
    return "\n".join(["Models that are ready:", "", *lines])


def _words(kind: str, declared: Any) -> list[str]:
    return (
        [f"{kind}: " + ", ".join(f"`{name}` ({spec.description})" for name, spec in declared.items())]
        if declared
        else []
    )
