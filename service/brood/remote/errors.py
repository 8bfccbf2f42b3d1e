"""Errors as messages: every class of the error table, with all its attributes."""

from __future__ import annotations

from brood.protocol.errors import TABLE, BroodError, Internal, row_of
from brood.protocol.wire import worker_pb2 as pb

KINDS = {row.code: kind for kind, row in TABLE.items()}


def error_message(error: BroodError) -> pb.Error:
    """An error, to be sent."""
    text = error.message.encode(errors="replace").decode()  # of surrogates, which UTF-8 has not
    return pb.Error(
        code=row_of(error).code,
        message=text,
        field=error.field,
        retry_after_s=error.retry_after_s,
        index=error.index,
    )


def error_of(message: pb.Error) -> BroodError:
    """The error in a message; `Internal` if a newer worker has a class that is not known here."""
    return KINDS.get(message.code, Internal)(
        message.message,
        field=message.field if message.HasField("field") else None,
        retry_after_s=message.retry_after_s if message.HasField("retry_after_s") else None,
        index=message.index if message.HasField("index") else None,
    )
