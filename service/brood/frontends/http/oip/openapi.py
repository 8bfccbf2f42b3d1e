"""The Open Inference Protocol in the OpenAPI document: its own specification says what tensors and documents hold."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from brood.frontends.http.oip.body import GenerateWords, IndexWords, InferWords, RepositoryWords
from brood.frontends.http.schema import Told

Json = dict[str, Any]

NAME: Json = {"name": "name", "in": "path", "required": True, "schema": {"type": "string"}}
VERSION: Json = {"name": "version", "in": "path", "required": True, "schema": {"type": "string", "pattern": "^[1-9]"}}
BYTES: Json = {"schema": {"type": "string", "format": "binary"}}
OBJECT: Json = {"schema": {"type": "object"}}
# Statuses that answers may have beside 200, by what a request does.
OPEN: tuple[str, ...] = ()
READ = ("401", "403", "429")
ABOUT = ("400", "404", "503", *READ)
SENT_IN = ("400", "408", "413", "415", *READ)
WORK = ("404", "409", "422", "500", "501", "503", "504", *SENT_IN)


class OipErrorView(Told):
    """The body of an answer that is an error."""

    error: str


ASKED: tuple[type[BaseModel], ...] = (InferWords, GenerateWords, IndexWords, RepositoryWords)
SENT: tuple[type[BaseModel], ...] = (OipErrorView,)

Row = tuple[str, str, tuple[str, ...], type[BaseModel] | None]  # address, summary, statuses, body
SERVER: tuple[Row, ...] = (
    ("/v2", "Name, version and extensions of the server.", READ, None),
    ("/v2/health/live", "Whether the process lives.", OPEN, None),
    ("/v2/health/ready", "Whether work can be sent.", ("503",), None),
    ("/v2/models", "Names of the models that are ready.", READ, None),
    ("/v2/models/stats", "What has been done for all models.", READ, None),
    ("/v2/repository/index", "All models with their states.", SENT_IN, IndexWords),
    ("/v2/repository/models/{name}/load", "Load a model; needs --admin.", WORK, RepositoryWords),
    ("/v2/repository/models/{name}/unload", "Unload a model; needs --admin.", WORK, RepositoryWords),
)
MODEL: tuple[Row, ...] = (
    ("", "What a model takes and gives.", ABOUT, None),
    ("/ready", "Whether a model is ready.", ("400", "404", "503"), None),
    ("/config", "How a model is run.", ABOUT, None),
    ("/stats", "What has been done for a model.", ABOUT, None),
    ("/infer", "Run a call; tensors are JSON, or bytes behind it.", WORK, InferWords),
    ("/generate", "Run a flat call, of one row.", WORK, GenerateWords),
    ("/generate_stream", "The same, with a server-sent event for each row.", WORK, GenerateWords),
)


def paths(refusals: dict[str, str]) -> Json:
    """What is at each address; ``refusals`` are what statuses mean."""
    found = {row[0]: _item(row, refusals, [NAME] if "{name}" in row[0] else []) for row in SERVER}
    for row in MODEL:
        found[f"/v2/models/{{name}}{row[0]}"] = _item(row, refusals, [NAME])
        found[f"/v2/models/{{name}}/versions/{{version}}{row[0]}"] = _item(row, refusals, [NAME, VERSION])
    return found


def _item(row: Row, refusals: dict[str, str], parameters: list[Json]) -> Json:
    path, summary, statuses, words = row
    bad = {status: {"description": refusals[status], "content": _json("OipErrorView")} for status in statuses}
    if path.endswith("ready"):
        bad["503"] = {"description": "not ready", "content": {"application/json": OBJECT}}
    good: Json = {"application/json": OBJECT}
    if path == "/infer":
        good["application/octet-stream"] = BYTES
    if path == "/generate_stream":
        good = {"text/event-stream": {}}
    if path == "/v2/repository/index":
        good = {"application/json": {"schema": {"type": "array", "items": OBJECT["schema"]}}}
    operation: Json = {
        "summary": summary,
        "parameters": parameters,
        "responses": {"200": {"description": "OK", "content": good}, **bad},
    }
    if words is not None:
        operation["requestBody"] = {"content": _json(words.__name__)}
    return {"get" if words is None else "post": operation}


def _json(name: str) -> Json:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}
