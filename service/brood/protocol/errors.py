"""Every error a caller can meet, and the one table that says how each transport spells it.

BroodError
├── RequestError                 the request is at fault; sending it again changes nothing
│   ├── InvalidArgument          a field has a value that is not allowed
│   ├── ModelNotFound            no such model, or no such version of it
│   ├── GenerationNotFound       no generation of that id is running
│   ├── RouteNotFound            no such address
│   ├── MethodNotAllowed         the address exists, the verb does not
│   ├── NotAcceptable            the answer cannot be given in the form asked for
│   ├── UnsupportedMediaType     the body is not in a form that is read
│   ├── PayloadTooLarge          body or headers are larger than the limit
│   ├── RequestTimeout           the body came too slowly
│   ├── IdempotencyConflict      the idempotency key was used for another request
│   ├── HostRefused              Host or Origin names another machine
│   ├── Unauthenticated          no key was sent, or none that holds
│   ├── PermissionDenied         the key does not allow this
│   ├── DeterminismUnavailable   bit for bit the same cannot be promised here
│   ├── DeadlineInfeasible       the deadline is shorter than the samples take alone
│   └── RowFailed                one sample came out non-finite
├── Unsupported                  part of a standard protocol that is not offered here
├── ModelUnavailable             the model failed to load; its reason is in the message
├── NotReady                     loading, or stopping
├── Overloaded                   the queue is full; `retry_after_s` says when to come back
├── RateLimited                  the key asks too often or too much at once; `retry_after_s` says when to come back
├── DeadlineExceeded             the request's own deadline passed
├── Cancelled                    the caller went away or asked to stop
├── RuntimeFailed                a graph call failed on the device
├── WorkersLost                  worker after worker was lost while it ran there
├── Internal                     anything else; details stay in the log
└── BundleError                  a bundle on disk cannot be trusted or understood
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any


class BroodError(Exception):
    """Base of all errors that cross a border.

    Args:
        message: a sentence for the caller that names what is wrong and what is allowed.
        field: path of the offending field, such as ``params.label``; None if none is to blame.
        retry_after_s: seconds after which a retry is worth while; None if unknown.
        index: index of the sample concerned; None if the whole request is.

    Instances survive pickling with all attributes.
    """

    def __init__(
        self,
        message: str,
        *,
        field: str | None = None,
        retry_after_s: float | None = None,
        index: int | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.field = field
        self.retry_after_s = retry_after_s
        self.index = index

    def __reduce__(self) -> tuple[Any, ...]:
        return (_rebuild, (type(self), self.message, self.field, self.retry_after_s, self.index))


def _rebuild(
    kind: type[BroodError], message: str, field: str | None, retry_after_s: float | None, index: int | None
) -> BroodError:
    return kind(message, field=field, retry_after_s=retry_after_s, index=index)


class RequestError(BroodError):
    """The request is at fault."""


class InvalidArgument(RequestError):
    """A field holds a value that is not allowed."""


class ModelNotFound(RequestError):
    """No such model, or no such version of it."""


class GenerationNotFound(RequestError):
    """No generation of that id is running: it has ended, or there never was one."""


class RouteNotFound(RequestError):
    """No such address."""


class MethodNotAllowed(RequestError):
    """The address exists, the verb does not."""


class Unsupported(BroodError):
    """A part of a standard protocol that is not offered here."""


class NotAcceptable(RequestError):
    """The answer cannot be given in the form asked for."""


class UnsupportedMediaType(RequestError):
    """The body is not in a form that is read."""


class PayloadTooLarge(RequestError):
    """Body or headers are larger than the limit."""


class RequestTimeout(RequestError):
    """The body came too slowly, or not to its end."""


class IdempotencyConflict(RequestError):
    """The idempotency key belongs to a request that asked for something else."""


class HostRefused(RequestError):
    """Host or Origin names another machine (protection against web pages that reach for this one)."""


class Unauthenticated(RequestError):
    """No key was sent, or none that holds."""


class PermissionDenied(RequestError):
    """The key does not allow this."""


class DeterminismUnavailable(RequestError):
    """The request wants samples that are bit for bit reproducible, and this model does not promise that here."""


class DeadlineInfeasible(RequestError):
    """The deadline is shorter than the samples are predicted to take on an idle device; no work was begun."""


class RowFailed(RequestError):
    """One sample came out non-finite for these parameters; the others are unharmed."""


class ModelUnavailable(BroodError):
    """The model failed to load."""


class NotReady(BroodError):
    """The server is loading or stopping."""


class Overloaded(BroodError):
    """The queue is full."""


class RateLimited(BroodError):
    """The key asks too often, or for too much at once."""


class DeadlineExceeded(BroodError):
    """The request's own deadline passed before it was finished."""


class Cancelled(BroodError):
    """The caller went away or asked to stop."""


class RuntimeFailed(BroodError):
    """A graph call failed on the device."""


class WorkersLost(BroodError):
    """Worker after worker was lost while this request ran there; it is not given to another one."""


class Internal(BroodError):
    """An error of our own; details are in the log under the request id."""


class BundleError(BroodError):
    """A bundle on disk cannot be trusted or understood."""


@dataclass(frozen=True, slots=True)
class ErrorRow:
    """How one error class looks on every transport."""

    code: str  # machine code in bodies, metrics and logs
    http: int  # status, RFC 9110
    grpc: str  # name in grpc.StatusCode
    retryable: bool  # the same request may succeed later


TABLE: dict[type[BroodError], ErrorRow] = {
    InvalidArgument: ErrorRow("invalid_argument", 400, "INVALID_ARGUMENT", False),
    ModelNotFound: ErrorRow("model_not_found", 404, "NOT_FOUND", False),
    GenerationNotFound: ErrorRow("generation_not_found", 404, "NOT_FOUND", False),
    RouteNotFound: ErrorRow("not_found", 404, "UNIMPLEMENTED", False),
    MethodNotAllowed: ErrorRow("method_not_allowed", 405, "UNIMPLEMENTED", False),
    Unsupported: ErrorRow("unsupported", 501, "UNIMPLEMENTED", False),
    NotAcceptable: ErrorRow("not_acceptable", 406, "INVALID_ARGUMENT", False),
    UnsupportedMediaType: ErrorRow("unsupported_media_type", 415, "INVALID_ARGUMENT", False),
    PayloadTooLarge: ErrorRow("payload_too_large", 413, "RESOURCE_EXHAUSTED", False),
    RequestTimeout: ErrorRow("request_timeout", 408, "DEADLINE_EXCEEDED", False),
    IdempotencyConflict: ErrorRow("idempotency_conflict", 422, "FAILED_PRECONDITION", False),
    HostRefused: ErrorRow("host_refused", 421, "PERMISSION_DENIED", False),
    Unauthenticated: ErrorRow("unauthenticated", 401, "UNAUTHENTICATED", False),
    PermissionDenied: ErrorRow("permission_denied", 403, "PERMISSION_DENIED", False),
    DeterminismUnavailable: ErrorRow("determinism_unavailable", 409, "FAILED_PRECONDITION", False),
    DeadlineInfeasible: ErrorRow("deadline_infeasible", 422, "DEADLINE_EXCEEDED", False),
    RowFailed: ErrorRow("row_failed", 422, "OUT_OF_RANGE", False),
    ModelUnavailable: ErrorRow("model_unavailable", 503, "FAILED_PRECONDITION", False),
    NotReady: ErrorRow("not_ready", 503, "UNAVAILABLE", True),
    Overloaded: ErrorRow("overloaded", 429, "RESOURCE_EXHAUSTED", True),
    RateLimited: ErrorRow("rate_limited", 429, "RESOURCE_EXHAUSTED", True),
    DeadlineExceeded: ErrorRow("deadline_exceeded", 504, "DEADLINE_EXCEEDED", False),
    Cancelled: ErrorRow("cancelled", 499, "CANCELLED", False),
    RuntimeFailed: ErrorRow("runtime_failed", 500, "INTERNAL", True),
    WorkersLost: ErrorRow("workers_lost", 500, "INTERNAL", False),
    Internal: ErrorRow("internal", 500, "INTERNAL", False),
    BundleError: ErrorRow("bundle_error", 500, "FAILED_PRECONDITION", False),
}


def row_of(error: BroodError) -> ErrorRow:
    """The table row of an error, found along its class's method resolution order."""
    for kind in type(error).__mro__:
        if kind in TABLE:
            return TABLE[kind]
    return TABLE[Internal]


def show(value: object, limit: int = 80) -> str:
    """A value as it goes into a message: JSON where possible, shortened to ``limit`` characters.

    Takes no longer for a large value: no more of it is written than is shown.
    """
    if isinstance(value, str):
        value = value[:limit]
    text = ""
    try:
        for part in json.JSONEncoder().iterencode(value):
            text += part
            if len(text) > limit:
                return text[: limit - 1] + "…"
    except (TypeError, ValueError, RecursionError):
        text = repr(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def invalid(field: str, value: object, allowed: str) -> InvalidArgument:
    """The usual complaint: names the field, the value and what is allowed."""
    return InvalidArgument(f"{field}: {show(value)} is not allowed; allowed: {allowed}", field=field)
