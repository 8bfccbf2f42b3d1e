"""Traces, sent to an OpenTelemetry collector; off by default (OTLP: https://opentelemetry.io/docs/specs/otlp/).

One span a request, in its caller's trace if it has one, and below it one span for each part of its time: waiting,
steps (all together), encoding.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Protocol

from brood import __version__
from brood.observe.catalogue import Part
from brood.observe.trace import CURRENT, Current, Trace, trace_of

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

NS_PER_S = 1e9
SAMPLED = 1
PATH = "/v1/traces"
CODES_OF_CALLERS = {"ok", "cancelled"}
Attributes = Mapping[str, str | int]


class TracingUnavailable(Exception):
    """What sends traces is not installed; the message says how to install it."""


class Counting(Protocol):
    """Who is told the same; see `brood.dataplane.observer.RequestObserver`."""

    def finished(self, model: str, operation: str, protocol: str, code: str, seconds: float, rows: int) -> None: ...

    def rejected(self, model: str, operation: str, protocol: str, reason: str) -> None: ...

    def timed(self, model: str, operation: str, part: Part, seconds: float) -> None: ...


class Sink(Protocol):
    """Where finished spans go (`opentelemetry.sdk.trace.SpanProcessor`)."""

    def on_end(self, span: ReadableSpan) -> None: ...

    def shutdown(self) -> None: ...


class TracedRequests:
    """Observes requests for another observer, and sends a trace of some of them.

    Args:
        counting: is told everything.
        sink: takes spans.
        ratio: part of the requests that are traced, of those whose caller does not decide.
    """

    def __init__(self, counting: Counting, sink: Sink, ratio: float) -> None:
        self._counting, self._sink, self._ratio = counting, sink, ratio
        self.rejected = counting.rejected

    def timed(self, model: str, operation: str, part: Part, seconds: float) -> None:
        """See `RequestObserver.timed`."""
        self._counting.timed(model, operation, part, seconds)
        if (current := CURRENT.get()) is not None:
            current.parts[part] = current.parts.get(part, 0) + round(seconds * NS_PER_S)

    def finished(self, model: str, operation: str, protocol: str, code: str, seconds: float, rows: int) -> None:
        """See `RequestObserver.finished`."""
        self._counting.finished(model, operation, protocol, code, seconds, rows)
        current = CURRENT.get()
        if current is None or (trace := self._wanted(current.trace)) is None:
            return
        told: Attributes = {
            "brood.request_id": current.request_id,
            "brood.model": model,
            "brood.operation": operation,
            "brood.protocol": protocol,
            "brood.code": code,
            "brood.samples": rows,
        }
        for span in _spans(trace, current, f"{operation} {model}", told, seconds):
            self._sink.on_end(span)
        current.parts.clear()

    def close(self) -> None:
        """Send what has not been sent."""
        self._sink.shutdown()

    def _wanted(self, trace: Trace | None) -> Trace | None:
        """The trace to record, if one is."""
        if trace is not None and trace.parent_id:
            return trace if trace.flags & SAMPLED else None
        return (trace or trace_of("")) if random.random() < self._ratio else None


def _spans(trace: Trace, current: Current, name: str, told: Attributes, seconds: float) -> Iterator[ReadableSpan]:
    """The request's span, and those below it."""
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

    def context(span_id: str, *, remote: bool = False) -> SpanContext:
        return SpanContext(int(trace.trace_id, 16), int(span_id, 16), remote, TraceFlags(SAMPLED))

    resource = Resource({"service.name": "brood", "service.version": __version__})
    end = time.time_ns()
    start, own = end - round(seconds * NS_PER_S), context(trace.span_id)
    failed = str(told["brood.code"]) not in CODES_OF_CALLERS
    yield ReadableSpan(
        name,
        own,
        context(trace.parent_id, remote=True) if trace.parent_id else None,
        resource,
        told,
        kind=SpanKind.SERVER,
        status=Status(StatusCode.ERROR, str(told["brood.code"])) if failed else Status(StatusCode.UNSET),
        start_time=start,
        end_time=end,
    )
    for part, (begins, ends) in _times(current.parts, start, end).items():
        span_id = trace_of("").span_id
        yield ReadableSpan(part, context(span_id), own, resource, start_time=begins, end_time=ends)


def _times(parts: Mapping[str, int], start: int, end: int) -> dict[str, tuple[int, int]]:
    """Begin and end of each part: waiting comes first, then all steps, and encoding last."""
    queue, run, encode = (parts.get(part, 0) for part in ("queue", "run", "encode"))
    found = {
        "queue": (start, start + queue),
        "run": (start + queue, start + queue + run),
        "encode": (end - encode, end),
    }
    return {part: span for part, span in found.items() if part in parts}


def collector(endpoint: str) -> Sink:
    """Sends spans to a collector, in batches, on a thread of its own.

    Args:
        endpoint: address, without the path of OTLP.

    Raises:
        TracingUnavailable: OpenTelemetry's exporter is not installed.
    """
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise TracingUnavailable(
            "traces_endpoint: needs the extra \"tracing\": pip install 'brood[tracing]'"
        ) from error
    return BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint.rstrip("/") + PATH))
