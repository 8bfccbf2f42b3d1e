"""The trace that the caller is in goes along, and nothing is imported for it."""

from __future__ import annotations

import sys

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import format_span_id, format_trace_id

from brood_client._tracing import trace_headers

tracer = TracerProvider().get_tracer("caller")


def test_the_span_of_the_caller_is_told() -> None:
    assert trace_headers() == {}
    with tracer.start_as_current_span("caller") as span:
        told = trace_headers()
    context = span.get_span_context()
    ids = f"{format_trace_id(context.trace_id)}-{format_span_id(context.span_id)}"
    assert told == {"traceparent": f"00-{ids}-{context.trace_flags:02x}"}


def test_without_opentelemetry_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "opentelemetry.trace")
    with tracer.start_as_current_span("caller"):
        assert trace_headers() == {}
