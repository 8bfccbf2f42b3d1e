"""What can go wrong, the same over every transport.

BroodError
├── InvalidArgument          a field has a value that is not allowed
├── ModelNotFound            no such model, or no such version of it
├── ModelUnavailable         the model failed to load on the server
├── Unauthenticated          no API key, or none that holds
├── PermissionDenied         the API key does not allow this
├── PayloadTooLarge          more bytes than the server or a message takes
├── DeterminismUnavailable   bit for bit the same is not to be had there
├── IdempotencyConflict      the idempotency key was used for another request
├── RowFailed                one sample came out non-finite; `index` says which
├── Cancelled                somebody cancelled it
├── DeadlineInfeasible       the timeout is shorter than the samples take; no work was begun
├── DeadlineExceeded         the timeout passed
├── NotReady           ┐
├── Overloaded         │     tried again by itself (`Client(retries=…)`); it is raised when that did not help
├── RateLimited        │
└── Unreachable        ┘
"""

from __future__ import annotations

from typing import Any


class BroodError(Exception):
    """Base of all errors of the client.

    Args:
        message: what is wrong and what is allowed, as the server says it.
        code: machine code, such as ``invalid_argument``; not every code has a class of its own.
        field: path of the offending field, such as ``params.label``; None if none is to blame.
        request_id: id under which the server knows the request, and its log the details.
        retry_after_s: seconds after which the server expects to have room; None if it did not say.
        index: index of the sample to blame; None if the whole request is.

    Instances survive pickling, as between the processes of a pool, with all attributes.
    """

    def __init__(
        self,
        message: str,
        code: str,
        *,
        field: str | None = None,
        request_id: str | None = None,
        retry_after_s: float | None = None,
        index: int | None = None,
    ) -> None:
        super().__init__(message)
        self.message, self.code, self.field, self.request_id = message, code, field, request_id
        self.retry_after_s, self.index = retry_after_s, index
        if request_id is not None:
            self.add_note(f"request id: {request_id}")

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuilt, (self.code, self.message, self.field, self.request_id, self.retry_after_s, self.index)

    @property
    def retryable(self) -> bool:
        """Whether the same request may succeed later."""
        return self.code in RETRYABLE or self.retry_after_s is not None


class InvalidArgument(BroodError):
    """A field has a value that is not allowed."""


class ModelNotFound(BroodError):
    """No such model, or no such version of it."""


class ModelUnavailable(BroodError):
    """The model failed to load on the server."""


class Unauthenticated(BroodError):
    """The server wants an API key, and none was sent or none that holds."""


class PermissionDenied(BroodError):
    """The API key does not allow this."""


class PayloadTooLarge(BroodError):
    """A request or an answer has more bytes than are carried."""


class DeterminismUnavailable(BroodError):
    """Samples that are bit for bit reproducible are not to be had from this model there."""


class IdempotencyConflict(BroodError):
    """The idempotency key was used for another request."""


class RowFailed(BroodError):
    """One sample came out non-finite; ``index`` says which."""


class Cancelled(BroodError):
    """Somebody cancelled the generation."""


class DeadlineInfeasible(BroodError):
    """The timeout is shorter than the samples take; no work was begun."""


class DeadlineExceeded(BroodError):
    """The timeout passed."""


class NotReady(BroodError):
    """The server is loading or stopping."""


class Overloaded(BroodError):
    """The server's queue is full."""


class RateLimited(BroodError):
    """The API key is used too often, or for too much at once."""


class Unreachable(BroodError):
    """There was no answer, or it broke off."""


KINDS: dict[str, type[BroodError]] = {
    "invalid_argument": InvalidArgument,
    "model_not_found": ModelNotFound,
    "model_unavailable": ModelUnavailable,
    "unauthenticated": Unauthenticated,
    "permission_denied": PermissionDenied,
    "payload_too_large": PayloadTooLarge,
    "determinism_unavailable": DeterminismUnavailable,
    "idempotency_conflict": IdempotencyConflict,
    "row_failed": RowFailed,
    "cancelled": Cancelled,
    "deadline_infeasible": DeadlineInfeasible,
    "deadline_exceeded": DeadlineExceeded,
    "not_ready": NotReady,
    "overloaded": Overloaded,
    "rate_limited": RateLimited,
    "unreachable": Unreachable,
}
RETRYABLE = frozenset({"not_ready", "overloaded", "rate_limited", "runtime_failed", "unreachable"})


def error_of(
    code: str,
    message: str,
    *,
    field: str | None = None,
    request_id: str | None = None,
    retry_after_s: float | None = None,
    index: int | None = None,
) -> BroodError:
    """The error of a code's class, or a plain `BroodError`."""
    kind = KINDS.get(code, BroodError)
    return kind(message, code, field=field, request_id=request_id, retry_after_s=retry_after_s, index=index)


def _rebuilt(
    code: str, message: str, field: str | None, request_id: str | None, retry_after_s: float | None, index: int | None
) -> BroodError:
    return error_of(code, message, field=field, request_id=request_id, retry_after_s=retry_after_s, index=index)


def invalid(field: str, found: str, allowed: str) -> BroodError:
    """What the client itself refuses, in the server's form."""
    return error_of("invalid_argument", f"{field}: {found} is not allowed; allowed: {allowed}", field=field)
