"""``errors.md``: the error table."""

from __future__ import annotations

from brood.protocol.errors import TABLE
from reference_pages.text import page, table


def errors_page() -> str:
    """The error table."""
    rows = [
        (f"`{row.code}`", str(row.http), row.grpc, "yes" if row.retryable else "", (kind.__doc__ or "").rstrip("."))
        for kind, row in TABLE.items()
    ]
    text = (
        "Every error has one code, whichever way it goes out. *Again*: the same request may succeed later; where the "
        "server knows when, it says so (`Retry-After`, `google.rpc.RetryInfo`)."
    )
    return page("Errors", text, table(("code", "HTTP", "gRPC", "again", "what it means"), rows))
