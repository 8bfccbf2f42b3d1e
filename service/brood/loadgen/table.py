"""Figures for people."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from rich.table import Table

from brood.loadgen.measures import Figures, Spread, Summary

COLUMNS = ("load", "requests", "right", "done/s", "samples/s", "p50 ms", "p95", "p99", "worst")
STREAM, SLO = ("preview p50", "sample p50", "sample p99"), "in SLO/s"


def table_of(summaries: Sequence[Summary], slo_ms: float | None = None) -> Table:
    """One line for each stage, and for each order of a mix below it."""
    stream = any(summary.total.first_sample_ms for summary in summaries)
    table = Table(*COLUMNS, *(STREAM if stream else ()), *((SLO,) if slo_ms else ()), box=None, pad_edge=False)
    for summary in summaries:
        for label, figures in {summary.stage: summary.total, **_indented(summary)}.items():
            table.add_row(label, *_cells(figures, stream))
    return table


def _indented(summary: Summary) -> dict[str, Figures]:
    return {f"  {label}": figures for label, figures in summary.kinds.items()}


def _cells(figures: Figures, stream: bool) -> Iterator[str]:
    yield f"{figures.requests:,}"
    yield f"{figures.right:,}"
    yield f"{figures.done_per_s:,.4g}"
    yield f"{figures.samples_per_s:,.4g}"
    for name in ("p50", "p95", "p99", "worst"):
        yield _ms(figures.latency_ms, name)
    if stream:
        yield _ms(figures.first_preview_ms, "p50")
        yield _ms(figures.first_sample_ms, "p50")
        yield _ms(figures.first_sample_ms, "p99")
    if figures.good_per_s is not None:
        yield f"{figures.good_per_s:,.4g}"


def _ms(spread: Spread | None, name: str) -> str:
    if spread is None:
        return "-"
    value: float = getattr(spread, name)
    return "never" if math.isinf(value) else f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def notes_of(summary: Summary) -> Iterator[str]:
    """What went wrong in a stage, and what the load generator itself took."""
    for code, count in summary.total.errors.items():
        share = count / summary.total.requests
        yield f"{summary.stage}: {count:,} requests ({share:.1%}) {code}: {summary.total.examples[code][:160]}"
    if not summary.total.requests:
        yield f"{summary.stage}: no request was due; take a higher rate, or more seconds"
    own = summary.own
    delay = "" if own.delay_ms is None else f", sent {own.delay_ms.p50:.2g} ms (p99 {own.delay_ms.p99:.2g}) after due"
    yield f"{summary.stage}: the load itself took {own.cpu_us:.0f} µs CPU a request, {own.cores:.0%} of a core{delay}"
