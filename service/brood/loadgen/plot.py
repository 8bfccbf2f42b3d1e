"""Stages as a picture: latency and what was done, against load."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from brood.loadgen.measures import Summary
from brood.protocol.errors import InvalidArgument

PANELS, SIZE = 2, (9.0, 3.8)  # inches
LINES = {"p50": "#7a7a7a", "p95": "#0b6e99", "p99": "#c2571a"}


def plot(summaries: Sequence[Summary], path: Path, title: str = "") -> None:
    """Draw percentiles of latency, and right answers a second. Where they are never reached, a line is broken.

    Args:
        summaries: of stages of one kind.
        path: of the picture; its suffix tells the format.
        title: what was measured.

    Raises:
        InvalidArgument: matplotlib is not installed, or does not know the suffix.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        text = "plot: matplotlib is not installed; allowed: the figures without a plot, or brood[export] installed"
        raise InvalidArgument(text, field="plot") from error
    figure = Figure(figsize=SIZE, layout="constrained")
    latency, done = figure.subplots(1, PANELS)
    sizes = [summary.size for summary in summaries]
    for name, colour in LINES.items():
        latency.plot(sizes, [_percentile(each, name) for each in summaries], color=colour, marker="o", ms=3, label=name)
    unit = "clients" if "client" in summaries[0].stage else "requests due a second"
    latency.set(xlabel=unit, ylabel="ms from when a request was due", yscale="log")
    done.plot(sizes, [each.total.done_per_s for each in summaries], color=LINES["p95"], marker="o", ms=3, label="right")
    if summaries[0].total.good_per_s is not None:
        good = [each.total.good_per_s for each in summaries]
        done.plot(sizes, good, color=LINES["p99"], marker="o", ms=3, ls="--", label="right and within the SLO")
    done.set(xlabel=unit, ylabel="answers a second", ylim=(0, None))
    for panel in (latency, done):
        panel.grid(which="both", alpha=0.2)
        panel.legend(fontsize="small", frameon=False)
    figure.suptitle(title)
    try:
        figure.savefig(path, dpi=150)
    except ValueError as error:
        raise InvalidArgument(f"plot: {path}: {error}", field="plot") from error


def _percentile(summary: Summary, name: str) -> float:
    spread = summary.total.latency_ms
    value = math.inf if spread is None else float(getattr(spread, name))
    return value if math.isfinite(value) else math.nan
