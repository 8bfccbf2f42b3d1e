"""How an error looks over HTTP: the one place that turns `BroodError` into an answer."""

from __future__ import annotations

import math
from typing import Any

from pydantic_core import to_json
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Scope

from brood.protocol.errors import BroodError, Internal, MethodNotAllowed, RouteNotFound, row_of, show

# Callers choose names and values, and these come back in messages.
MESSAGE_CHARS = 2000
FIELD_CHARS = 200


def error_response(error: BroodError, request_id: str, cause: BaseException) -> Response:
    """The answer for an error; ``cause`` may bring headers of its own."""
    headers = dict(getattr(cause, "headers", None) or {})
    if error.retry_after_s is not None:
        headers["Retry-After"] = str(math.ceil(error.retry_after_s))
    body = {"error": error_body(error) | {"request_id": request_id}}
    return Response(to_json(body), row_of(error).http, headers, media_type="application/json")


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
