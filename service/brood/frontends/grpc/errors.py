"""How an error ends a gRPC call: the one place that turns `BroodError` into a status."""

from __future__ import annotations

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RequestInfo, RetryInfo
from google.rpc.status_pb2 import Status

from brood.protocol.errors import BroodError, row_of

DOMAIN = "brood"
# A status travels in HTTP/2 headers, of which clients accept 8 KiB in all, and the message is in there three times
# (percent-encoded once, base64 twice); callers choose field names and values, so both are cut.
MESSAGE_BYTES = 900
FIELD_BYTES = 200

Metadata = tuple[tuple[str, str | bytes], ...]


def status_of(error: BroodError) -> grpc.StatusCode:
    """The status the error table gives."""
    return grpc.StatusCode[row_of(error).grpc]


def details_of(error: BroodError) -> str:
    """The error's message, cut to what a status can carry."""
    return _cut(error.message, MESSAGE_BYTES)


def trailers_of(error: BroodError, request_id: str) -> Metadata:
    """Trailing metadata: request id, machine code and field as words, and all as a ``google.rpc.Status``."""
    words = [("x-request-id", request_id), ("brood-error-code", row_of(error).code)]
    if error.field is not None:
        words.append(("brood-error-field", _printable(_cut(error.field, FIELD_BYTES))))
    return (*words, ("grpc-status-details-bin", _status(error, request_id).SerializeToString()))


def _status(error: BroodError, request_id: str) -> Status:
    """The error in the model of https://cloud.google.com/apis/design/errors."""
    message = details_of(error)
    about = {} if error.index is None else {"index": str(error.index)}
    parts: list[Message] = [
        ErrorInfo(reason=row_of(error).code.upper(), domain=DOMAIN, metadata=about),
        RequestInfo(request_id=request_id),
    ]
    if error.field is not None:
        violation = BadRequest.FieldViolation(field=_cut(error.field, FIELD_BYTES), description=message)
        parts.append(BadRequest(field_violations=[violation]))
    if error.retry_after_s is not None:
        delay = Duration()
        delay.FromNanoseconds(round(error.retry_after_s * 1e9))
        parts.append(RetryInfo(retry_delay=delay))
    return Status(code=status_of(error).value[0], message=message, details=[_packed(part) for part in parts])


def _packed(part: Message) -> AnyMessage:
    wrapped = AnyMessage()
    wrapped.Pack(part)
    return wrapped


def _cut(text: str, limit: int) -> str:
    """At most ``limit`` bytes of UTF-8; surrogates, which UTF-8 has not, become question marks."""
    encoded = text.encode(errors="replace")
    return encoded.decode() if len(encoded) <= limit else encoded[: limit - 3].decode(errors="ignore") + "…"


def _printable(text: str) -> str:
    """Text as metadata may carry it: printable ASCII, the rest escaped."""
    escaped = text.encode("ascii", "backslashreplace").decode()
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in escaped)
