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
from brood.frontends.http.accept import FORMS
from brood.frontends.http.body import HttpGenerateRequest
from brood.frontends.http.json_schema import operation_schema
from brood.frontends.http.models import ChangeWords
from brood.frontends.http.oip import openapi as oip
from brood.frontends.http.openai import openapi as openai
from brood.frontends.http.openapi_30 import openapi_30
from brood.frontends.http.schema import (
    AcceptedView,
    DoneView,
    ErrorView,
    GenerationView,
    ListingErrorView,
    LiveView,
    ModelsView,
    ModelView,
    PreviewView,
    ProgressView,
    ReadyView,
)
from brood.protocol.manifest import Operation
from brood.protocol.models import ModelStatus

Json = dict[str, Any]

SENT: tuple[type[BaseModel], ...] = (
    GenerationView,
    AcceptedView,
    ProgressView,
    PreviewView,
    DoneView,
    ModelsView,
    ModelView,
    LiveView,
    ReadyView,
    ErrorView,
    ListingErrorView,
    *openai.SENT,
    *oip.SENT,
)
ASKED: tuple[type[BaseModel], ...] = (HttpGenerateRequest, ChangeWords, *openai.ASKED, *oip.ASKED)
REFUSALS = {
    "400": "a field has a value that is not allowed",
    "401": "no key was sent, or none that holds",
    "403": "the key does not allow this",
    "404": "no such model",
    "406": "the answer cannot be given in the form asked for",
    "408": "the body came too slowly",
    "409": "samples that are bit for bit reproducible are not to be had here",
    "413": "the body is too large, as it is or decompressed",
    "415": "the body, or an uploaded input, is in a form that is not read",
    "422": "a sample came out non-finite, the deadline is too short, or the Idempotency-Key is another request's",
    "429": "too much is waiting, or the key asks too often; Retry-After tells when to come back",
    "500": "an error of the server",
    "501": "a part of the protocol that is not offered here",
    "503": "the model failed to load, is loading, or the server is stopping",
    "504": "the deadline passed",
}
KEYED = ("401", "403", "429")  # wherever a server asks for keys
# The first of the ways is none at all, for servers that ask for no keys.
WAYS: Json = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}
SECURITY: list[Json] = [{}, *({way: []} for way in WAYS)]
BYTES: Json = {"type": "string", "format": "binary"}
EVENT_STREAM = "text/event-stream"  # whose events OpenAPI 3.0 has no words for
HEADERS = ("Seed", "Index", "Model", "Version", "Determinism")
SENT_WITH = {
    "X-Request-ID": "names the request in answers and logs, and the generation; default: drawn",
    "Idempotency-Key": "the same body under the same key is answered alike, and made once; not for streams",
    "traceparent": "W3C Trace Context; told back as traceresponse",
}
EVENTS = """With `"stream": true`, server-sent events: `accepted` (AcceptedView), then as they come `progress`
(ProgressView), `preview` (PreviewView) and `sample` (SampleView), and last `done` (DoneView) or `failed` (ErrorView).
`id` counts them from 0; comments keep the connection awake. Leaving cancels the generation."""
CHANGED = {
    "load": "Load what is not ready of a model; needs --admin.",
    "unload": "Let go of a model; what runs goes on to its end. Needs --admin.",
    "reload": "Load what is not ready, and what has other bytes in the store than those that serve; needs --admin.",
}
UPLOAD = "the JSON; of an uploaded input it may say format, dtype and shape under inputs"


def document(statuses: Sequence[ModelStatus]) -> Json:
    """The document, with an example for every operation of the models that are ready."""
    name: Json = {"name": "name", "in": "path", "required": True, "schema": {"type": "string"}}
    newest: Json = {
        "name": "version",
        "in": "query",
        "description": "default: the newest that is ready",
        "schema": {"type": "integer", "minimum": 1},
    }
    one = _listing("One model.", ModelView, "400", "404")
    return {
        "openapi": "3.0.3",
        "info": {"title": "brood", "version": __version__, "description": "Samples of trained generative models."},
        "paths": {
            "/v1/generations": {"post": _generations(statuses)},
            "/v1/generations/{id}": {"delete": _delete()},
            "/v1/models": {"get": _listing("All models with their states.", ModelsView)},
            "/v1/models/{name}": {"get": one | {"parameters": [name, newest]}},
            **{f"/v1/models/{{name}}/{change}": {"post": _change(text, name)} for change, text in CHANGED.items()},
            "/healthz": {"get": _get("Whether the process lives.", LiveView)},
            "/readyz": {"get": _ready()},
            **openai.paths(REFUSALS, _headers()),
            **oip.paths(REFUSALS),
        },
        "components": {"schemas": _schemas() | _operations(statuses), "securitySchemes": WAYS},
        "security": SECURITY,
    }


@cache
def _schemas() -> Json:
    modes: list[tuple[type[BaseModel], JsonSchemaMode]] = [(view, "serialization") for view in SENT]
    modes += [(words, "validation") for words in ASKED]
    _, schema = models_json_schema(modes, ref_template="#/components/schemas/{model}")
    return {name: openapi_30(part) for name, part in schema["$defs"].items()}


def _operations(statuses: Sequence[ModelStatus]) -> Json:
    """What each operation of the ready models takes, called ``MODEL-VERSION-OPERATION``."""
    return {
        f"{status.name}-{status.version}-{name}": openapi_30(operation_schema(operation))
        for status, name, operation in _ready_operations(statuses)
    }


def _generations(statuses: Sequence[ModelStatus]) -> Json:
    content: Json = _content(HttpGenerateRequest)
    content["application/json"]["examples"] = _examples(statuses)
    part: Json = content["application/json"]["schema"]
    upload: Json = {"type": "object", "required": ["request"], "additionalProperties": BYTES}
    content["multipart/form-data"] = {
        "schema": upload | {"properties": {"request": {"allOf": [part], "description": UPLOAD}}},
        "encoding": {"request": {"contentType": "application/json"}},
    }
    text = (
        "All samples; or, where Accept asks for it, the bytes of the only image or tensor (n is 1), or a file of all."
    )
    good: Json = {
        "description": text,
        "headers": {f"X-Brood-{name}": {"schema": {"type": "string"}, "description": "with bytes"} for name in HEADERS},
        "content": {form: {"schema": BYTES} for form in FORMS} | {EVENT_STREAM: {}} | _content(GenerationView),
    }
    return {
        "summary": "Make samples.",
        "description": f"{EVENTS}\n\n{_offer(statuses)}",
        "parameters": _headers(),
        "requestBody": {"required": True, "content": content},
        "responses": {"200": good, **_refusals(*(status for status in REFUSALS if status != "501"))},
    }


def _headers() -> list[Json]:
    return [
        {"name": name, "in": "header", "description": text, "schema": {"type": "string"}}
        for name, text in SENT_WITH.items()
    ]


def _delete() -> Json:
    name: Json = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
    good: Json = {"description": "It is cancelled; whoever waits for it gets the error 'cancelled'."}
    return {
        "summary": "Cancel a running generation.",
        "parameters": [name],
        "responses": {
            "204": good,
            "404": {"description": "none of that id is running", "content": _content(ErrorView)},
            **_refusals("401", "403"),
        },
    }


def _change(summary: str, name: Json) -> Json:
    return _listing(summary, ModelsView, "400", "404", "408", "413", "415", "503") | {
        "parameters": [name],
        "requestBody": {"content": _content(ChangeWords)},
    }


def _get(summary: str, view: type[BaseModel], *refusals: str) -> Json:
    good: Json = {"description": "OK", "content": _content(view)}
    return {"summary": summary, "responses": {"200": good, **_refusals(*refusals)}}


def _listing(summary: str, view: type[BaseModel], *refusals: str) -> Json:
    """What OpenAI's clients read, too; so are its errors."""
    operation = _get(summary, view)
    for status in (*refusals, *KEYED):
        operation["responses"][status] = {"description": REFUSALS[status], "content": _content(ListingErrorView)}
    return operation


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
