"""Latency against load, as a picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from brood.protocol.errors import InvalidArgument
from brood.simulation.explore import Point

COLOURS = {"step-level": "#0b6e99", "same-parameters": "#c2571a", "padded": "#7a7a7a"}
PANEL, LEGEND = (4.2, 3.8), 1.9  # inches
MOST_COLUMNS = 3


def plot(points: Sequence[Point], path: Path, title: str = "") -> None:
    """Draw mean and 95th percentile of each kind's latency; a line ends where requests come faster than are served.

    Args:
        points: of a sweep.
        path: of the picture; its suffix tells the format.
        title: what was simulated.

    Raises:
        InvalidArgument: matplotlib is not installed, or does not know the suffix.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise InvalidArgument(
            "plot: matplotlib is not installed; allowed: the figures without a plot, or brood[export] installed",
            field="plot",
        ) from error
    kinds = list(points[0].summary.kinds)
    columns, rows = min(MOST_COLUMNS, len(kinds)), -(-len(kinds) // MOST_COLUMNS)
    figure = Figure(figsize=(PANEL[0] * columns + LEGEND, PANEL[1] * rows), layout="constrained")
    panels = figure.subplots(rows, columns, sharey=True, squeeze=False).ravel()
    for panel, kind in zip(panels, kinds, strict=False):
        for policy in dict.fromkeys(point.policy for point in points):
            own = [point for point in points if point.policy == policy]
            loads, colour = [point.load for point in own], COLOURS[policy]
            panel.plot(loads, _latencies(own, kind, "p95"), color=colour, marker="o", ms=3.5, label=f"{policy}, p95")
            panel.plot(loads, _latencies(own, kind, "mean"), color=colour, ls="--", lw=1, label=f"{policy}, mean")
        panel.set(title=kind, xlabel="load, of what full calls would serve", xlim=(0, 1), yscale="log")
        panel.grid(which="both", alpha=0.2)
    panels[0].set_ylabel("seconds from arrival to the last sample")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside right center", fontsize="small", frameon=False)
    figure.suptitle(title)
    try:
        figure.savefig(path, dpi=150)
    except ValueError as error:
        raise InvalidArgument(f"plot: {path}: {error}", field="plot") from error


def _latencies(points: Sequence[Point], kind: str, figure: str) -> list[float]:
    return [
        math.nan if point.summary.saturated else getattr(point.summary.kinds[kind].latency, figure) for point in points
    ]
