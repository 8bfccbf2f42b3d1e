"""What can go wrong, the same over both transports."""

from __future__ import annotations


class BroodError(Exception):
    """Base of all errors of the client.

    Args:
        message: what is wrong and what is allowed, as the server says it.
        code: machine code, such as ``invalid_argument``; not every code has a class of its own.
        field: path of the offending field, such as ``params.label``; None if none is to blame.
        request_id: id under which the server knows the request; None if it never answered.
    """

    def __init__(self, message: str, code: str, *, field: str | None = None, request_id: str | None = None) -> None:
        super().__init__(message)
        self.message, self.code, self.field, self.request_id = message, code, field, request_id


class InvalidArgument(BroodError):
    """A field has a value that is not allowed."""


class ModelNotFound(BroodError):
    """No such model, or no such version of it."""


class ModelUnavailable(BroodError):
    """The model failed to load on the server."""


class NotReady(BroodError):
    """The server is loading or stopping."""


class Overloaded(BroodError):
    """The server's queue is full."""


class DeterminismUnavailable(BroodError):
    """Samples that are bit for bit reproducible are not to be had from this model there."""


class DeadlineInfeasible(BroodError):
    """The timeout is shorter than the samples take; no work was begun."""


class DeadlineExceeded(BroodError):
    """The timeout passed."""


class Unreachable(BroodError):
    """There was no answer at all."""


KINDS: dict[str, type[BroodError]] = {
    "invalid_argument": InvalidArgument,
    "model_not_found": ModelNotFound,
    "model_unavailable": ModelUnavailable,
    "not_ready": NotReady,
    "overloaded": Overloaded,
    "determinism_unavailable": DeterminismUnavailable,
    "deadline_infeasible": DeadlineInfeasible,
    "deadline_exceeded": DeadlineExceeded,
    "unreachable": Unreachable,
}


def error_of(code: str, message: str, *, field: str | None = None, request_id: str | None = None) -> BroodError:
    """The error of a code's class, or a plain `BroodError`."""
    return KINDS.get(code, BroodError)(message, code, field=field, request_id=request_id)
