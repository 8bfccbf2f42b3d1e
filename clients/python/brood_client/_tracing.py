"""The caller's trace goes along with its requests, where OpenTelemetry is in use (https://opentelemetry.io)."""

from __future__ import annotations

import sys


def trace_headers() -> dict[str, str]:
    """Headers or metadata, such as ``traceparent`` (W3C Trace Context), of the span that the caller is in.

    Empty where no part of the program has imported OpenTelemetry: then there can be no span, and nothing is imported.
    """
    headers: dict[str, str] = {}
    if "opentelemetry.trace" in sys.modules:
        from opentelemetry.propagate import inject

        inject(headers)
    return headers
