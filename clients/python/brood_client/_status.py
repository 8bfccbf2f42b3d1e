"""How a gRPC call failed, in the client's own words."""

from __future__ import annotations

from typing import cast

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration

from brood.protocol.wire.fields import fields
from brood_client._errors import BroodError, error_of

# What a status means that the library, or something in between, ended a call with, and not the server's own table.
CODES = {
    grpc.StatusCode.DEADLINE_EXCEEDED: "deadline_exceeded",
    grpc.StatusCode.UNAVAILABLE: "unreachable",
    grpc.StatusCode.RESOURCE_EXHAUSTED: "payload_too_large",
    grpc.StatusCode.CANCELLED: "cancelled",
    grpc.StatusCode.UNAUTHENTICATED: "unauthenticated",
    grpc.StatusCode.PERMISSION_DENIED: "permission_denied",
}
STATUS_DETAILS, RETRY_DELAY, ABOUT, KEY, VALUE = 3, 1, 3, 1, 2  # numbers of fields


def translated(error: grpc.RpcError, url: str) -> BroodError:
    """The error in a status of ours, or of whatever stands between us and the server at a URL."""
    call = cast("grpc.Call", error)  # what a stub raises is both
    trailers = dict(call.trailing_metadata() or ())
    words = {name: value for name, value in trailers.items() if isinstance(value, str)}
    code = words.get("brood-error-code") or CODES.get(call.code(), "internal")
    given = trailers.get("grpc-status-details-bin")
    details = given if isinstance(given, bytes) else b""
    message = call.details() or code
    return error_of(
        code,
        f"{url}: {message}" if code == "unreachable" else message,
        field=words.get("brood-error-field"),
        request_id=words.get("x-request-id"),
        retry_after_s=retry_after_s(details),
        index=index_in(details),
    )


def retry_after_s(details: bytes) -> float | None:
    """Seconds that a ``google.rpc.RetryInfo`` in a ``google.rpc.Status`` asks to wait; None if there is none."""
    delay = dict(_detail(details, "RetryInfo")).get(RETRY_DELAY)
    return None if delay is None else Duration.FromString(delay).ToNanoseconds() / 1e9


def index_in(details: bytes) -> int | None:
    """The sample that a ``google.rpc.ErrorInfo`` in a ``google.rpc.Status`` is about; None if there is none."""
    entries = (dict(_parts(entry)) for number, entry in _detail(details, "ErrorInfo") if number == ABOUT)
    about = {entry.get(KEY, b""): entry.get(VALUE, b"") for entry in entries}
    index = about.get(b"index", b"")
    return int(index) if index.isdigit() else None


def _detail(details: bytes, kind: str) -> list[tuple[int, bytes]]:
    """The fields of the first detail of a kind.

    Read field by field: the classes of ``google.rpc`` are not part of protobuf.
    """
    packed = (AnyMessage.FromString(content) for number, content in _parts(details) if number == STATUS_DETAILS)
    found = (_parts(each.value) for each in packed if each.type_url.endswith(f"/google.rpc.{kind}"))
    return next(found, [])


def _parts(message: bytes) -> list[tuple[int, bytes]]:
    """Number and content of the fields that are texts or messages; none of what is no message."""
    try:
        return [(number, bytes(value)) for number, value in fields(message) if isinstance(value, memoryview)]
    except ValueError:
        return []
