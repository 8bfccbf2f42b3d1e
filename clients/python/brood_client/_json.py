"""Between the bodies of HTTP and the client's own words."""

from __future__ import annotations

import json
import math
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar

import httpx2

from brood_client._content import Content, Scalar
from brood_client._errors import BroodError, error_of
from brood_client._events import Accepted, Done, Event, Preview, Progress, Sample, Timing, Usage
from brood_client._generation import Generation
from brood_client._models import Input, Medium, Model, Operation, Output, Param
from brood_client._request import Request
from brood_client._sse import ServerEvent

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

# What a status means that no brood server gave, but something in between.
FOREIGN = {
    401: "unauthenticated",
    403: "permission_denied",
    413: "payload_too_large",
    429: "overloaded",
    502: "unreachable",
    503: "unreachable",
    504: "deadline_exceeded",
}
# What reading an answer of another form raises.
MALFORMED = (ValueError, KeyError, TypeError, AttributeError)
T = TypeVar("T")
Kind = TypeVar("Kind", bound="DataclassInstance")


def body_of(request: Request, left_s: float | None, **more: Any) -> bytes:
    """The body of ``POST /v1/generations``."""
    fields = request.fields(left_s)
    inputs = {name: {**each, "b64": b64encode(each["b64"]).decode()} for name, each in request.inputs.items()}
    return json.dumps({**fields, "inputs": inputs, **more}).encode()


def generation_of(answer: Mapping[str, Any]) -> Generation:
    """A whole answer."""
    head = ("id", "model", "version", "operation", "seed", "determinism")
    samples = tuple(Sample(**_shown(each)) for each in answer["samples"])
    told = {name: answer[name] for name in head}
    return Generation(**told, samples=samples, **_end(answer))


def event_of(sent: ServerEvent) -> Event:
    """One event of a stream.

    Raises:
        BroodError: the generation failed.
    """
    try:
        return _event(sent.kind, json.loads(sent.data))
    except MALFORMED as error:
        raise _strange(f"an event {sent.kind}: {sent.data[:200]!r}") from error


def _event(kind: str, told: Mapping[str, Any]) -> Event:
    match kind:
        case "accepted":
            return _known(Accepted, told)
        case "progress":
            return _known(Progress, told)
        case "preview":
            return Preview(**_shown(told), step=told["step"], of=told["of"])
        case "sample":
            return Sample(**_shown(told))
        case "done":
            return Done(**_end(told))
        case "failed":
            raise _error(told["error"], None)
    raise ValueError(kind)


def model_of(model: Mapping[str, Any]) -> Model:
    """One model."""
    operations = {name: _operation(model["operations"][name]) for name in sorted(model.get("operations", ()))}
    certificate = {graph: tuple(rows) for graph, rows in model.get("certificate", {}).items()}
    sample = model.get("sample") and _known(Medium, model["sample"])
    return _known(Model, {**model, "operations": operations, "certificate": certificate, "sample": sample})


def models_of(answer: Mapping[str, Any]) -> list[Model]:
    """All models."""
    return [model_of(model) for model in answer["models"]]


def answer_of(response: httpx2.Response, read: Callable[[Any], T]) -> T:
    """What an answer says.

    Raises:
        BroodError: it is an error, or none of a brood server.
    """
    if not response.is_success:
        raise translated(response)
    try:
        return read(response.json())
    except MALFORMED as error:
        raise _strange(f"HTTP {response.status_code}: {response.text[:200]}") from error


def translated(response: httpx2.Response) -> BroodError:
    """The error in a body of ours; whatever stands between may answer in other words."""
    given = response.headers.get("retry-after", "")
    hint_s = float(given) if given.replace(".", "", 1).isdigit() else None
    try:
        return _error(response.json()["error"], hint_s)
    except MALFORMED:
        code = FOREIGN.get(response.status_code, "internal")
        text = f"HTTP {response.status_code}: {response.text[:200]}"
        return error_of(code, text, request_id=response.headers.get("x-request-id"), retry_after_s=hint_s)


def _strange(what: str) -> BroodError:
    return error_of("internal", f"this is no answer of a brood server: {what}")


def _error(words: Mapping[str, Any], hint_s: float | None) -> BroodError:
    more = {name: words.get(name) for name in ("field", "request_id", "index")}
    return error_of(words["code"], words["message"], retry_after_s=hint_s, **more)


def _shown(told: Mapping[str, Any]) -> dict[str, Any]:
    contents = {name: _content(value) for name, value in told["outputs"].items()}
    return {"index": told["index"], "seed": told["seed"], "contents": contents}


def _content(value: Any) -> Content | Scalar:
    if isinstance(value, dict):
        shown = value.get("range")
        return Content(
            b64decode(value["b64"]),
            value["format"],
            value["dtype"],
            tuple(value["shape"]),
            shown and tuple(shown),
            value.get("sample_rate_hz"),
            value.get("fps"),
        )
    scalar: Scalar = math.nan if value is None else value  # JSON has no word for it
    return scalar


def _end(told: Mapping[str, Any]) -> dict[str, Any]:
    return {"timing": _known(Timing, told["timing"]), "usage": _known(Usage, told["usage"])}


def _operation(told: Mapping[str, Any]) -> Operation:
    parts = {
        "params": {name: _known(Param, each) for name, each in told["params"].items()},
        "inputs": {name: _known(Input, each) for name, each in told["inputs"].items()},
        "outputs": {name: _known(Output, each) for name, each in told["outputs"].items()},
    }
    return _known(Operation, {**told, **parts})


def _known(kind: type[Kind], told: Mapping[str, Any]) -> Kind:
    """What the client knows of what a server tells: a newer one may tell more. Null is what was left out."""
    names = {field.name for field in fields(kind)}
    plain = {name: tuple(value) if isinstance(value, list) else value for name, value in told.items()}
    return kind(**{name: value for name, value in plain.items() if name in names and value is not None})
