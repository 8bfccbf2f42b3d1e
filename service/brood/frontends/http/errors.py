"""How an error looks over HTTP: the one place that turns `BroodError` into an answer."""

from __future__ import annotations

import math
from typing import Any

from pydantic_core import to_json
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Scope

from brood.protocol.errors import (
    BroodError,
    Internal,
    MethodNotAllowed,
    RequestTimeout,
    RouteNotFound,
    Unauthenticated,
    row_of,
    show,
)

# Callers choose names and values, and these come back in messages.
MESSAGE_CHARS = 2000
FIELD_CHARS = 200
OPENAI = ("/v1/images", "/v1/models")  # where its clients come to
OPENAI_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}


def error_response(error: BroodError, request_id: str, cause: BaseException, path: str = "/") -> Response:
    """The answer for an error, in the form of the protocol that a path belongs to; ``cause`` may bring headers."""
    headers = dict(getattr(cause, "headers", None) or {})
    if error.retry_after_s is not None:
        headers["Retry-After"] = str(math.ceil(error.retry_after_s))
    if isinstance(error, Unauthenticated):
        headers["WWW-Authenticate"] = 'Bearer realm="brood"'
    if isinstance(error, RequestTimeout):
        headers["Connection"] = "close"  # the rest of the body would be taken for the next request
    if _below(path, *OPENAI):
        headers |= retry_headers(error)
    return Response(
        to_json(_words(error, request_id, path)), row_of(error).http, headers, media_type="application/json"
    )


def _words(error: BroodError, request_id: str, path: str) -> dict[str, Any]:
    if _below(path, "/v2"):
        return oip_words(error)
    if _below(path, "/v1/images"):
        return openai_words(error)
    words = error_words(error, request_id)
    if _below(path, "/v1/models"):  # whose answers are for both
        words["error"] |= {name: value for name, value in openai_words(error)["error"].items() if name != "message"}
    return words


def _below(path: str, *roots: str) -> bool:
    return any(path == root or path.startswith(f"{root}/") for root in roots)


def openai_words(error: BroodError) -> dict[str, Any]:
    """The body of an answer, or of an event, that tells of an error, in the words of OpenAI's API."""
    row = row_of(error)
    kind = OPENAI_TYPES.get(row.http, "server_error" if row.http >= 500 else "invalid_request_error")
    # What is an input here is a field of its own there.
    message, field = error.message.removeprefix("inputs."), (error.field or "").removeprefix("inputs.")
    param = cut(field, FIELD_CHARS) if error.field is not None else None
    return {"error": {"message": cut(message, MESSAGE_CHARS), "type": kind, "param": param, "code": row.code}}


def retry_headers(error: BroodError) -> dict[str, str]:
    """What OpenAI's client reads beside ``Retry-After``: without, it tries some errors again that stay."""
    told = {"X-Should-Retry": "true" if row_of(error).retryable else "false"}
    if error.retry_after_s is not None:
        told["Retry-After-Ms"] = str(math.ceil(error.retry_after_s * 1000))
    return told


def oip_words(error: BroodError) -> dict[str, Any]:
    """The body of an answer that tells of an error, in the Open Inference Protocol."""
    return {"error": cut(error.message, MESSAGE_CHARS)}


def error_words(error: BroodError, request_id: str) -> dict[str, Any]:
    """The body of an answer, or of an event, that tells of an error."""
    return {"error": error_body(error) | {"request_id": request_id}}


def error_body(error: BroodError) -> dict[str, Any]:
    """Code and message, and field and index where there are any."""
    body: dict[str, Any] = {"code": row_of(error).code, "message": cut(error.message, MESSAGE_CHARS)}
    if error.field is not None:
        body["field"] = cut(error.field, FIELD_CHARS)
    if error.index is not None:
        body["index"] = error.index
    return body


def foreign(error: HTTPException, scope: Scope) -> BroodError:
    """What the router has to say, in our own words."""
    path, method = show(scope["path"]), scope["method"]
    if error.status_code == 404:
        return RouteNotFound(f"there is nothing at {path}; /docs lists what there is")
    if error.status_code == 405:
        allowed = (error.headers or {}).get("Allow")
        return MethodNotAllowed(f"{method} is not allowed at {path}; allowed: {allowed}", field="method")
    return Internal(f"{error.status_code} at {path}")


def cut(text: str, limit: int) -> str:
    """At most ``limit`` characters."""
    return text if len(text) <= limit else text[: limit - 1] + "…"
