"""Which trace a request belongs to (W3C Trace Context, https://www.w3.org/TR/trace-context-2/)."""

from __future__ import annotations

import re
import secrets
from contextvars import ContextVar
from dataclasses import dataclass, field

# version, trace id, parent id, flags; later versions may have more behind a further dash.
FORM = re.compile(r"(?!ff)([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
VERSION, LEVEL_1_FLAGS = "00", 0b11  # sampled, and random trace id


@dataclass(frozen=True, slots=True)
class Trace:
    """One span of a trace: this server's part of what a caller does."""

    trace_id: str  # 32 hexadecimal digits
    span_id: str  # 16 hexadecimal digits; the span of this server
    flags: int  # 1: the caller records this trace
    parent_id: str = ""  # 16 hexadecimal digits; the caller's span; empty: there is none

    def header(self) -> str:
        """The value of ``traceresponse``."""
        return f"{VERSION}-{self.trace_id}-{self.span_id}-{self.flags:02x}"


def trace_of(traceparent: str) -> Trace:
    """A new span in the trace that a ``traceparent`` header names; in a new trace if it names none that is valid."""
    found = FORM.fullmatch(traceparent)
    if found is None or (found[1] == VERSION and found[5]) or not int(found[2], 16) or not int(found[3], 16):
        return Trace(secrets.token_hex(16), secrets.token_hex(8), 0)
    return Trace(found[2], secrets.token_hex(8), int(found[4], 16) & LEVEL_1_FLAGS, found[3])


@dataclass(slots=True)
class Current:
    """The request that this task works for."""

    request_id: str
    trace: Trace | None = None  # None: its caller says nothing of one
    parts: dict[str, int] = field(default_factory=dict)  # part of its time → nanoseconds so far


CURRENT: ContextVar[Current | None] = ContextVar("CURRENT", default=None)


def begin(request_id: str, trace: Trace | None) -> None:
    """From now on this task, and those that it starts, work for this request."""
    CURRENT.set(Current(request_id, trace))
