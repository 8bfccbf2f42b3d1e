"""Grafana's dashboards drawn without Grafana: the same panels and queries, of a Prometheus that is running."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter
from PIL import Image

from helpers.prometheus import Prometheus

COLUMNS, PANEL_INCHES = 3, (4.6, 2.6)
MOST = 10  # names of series in a legend
INK, FAINT = "#1f2329", "#8a9099"


@dataclass(frozen=True)
class Span:
    """What is drawn."""

    start: float  # seconds since 1970
    end: float
    step: float = 1.0
    rate: str = "15s"  # what $__rate_interval is


def draw(board: Path, prometheus: Prometheus, span: Span, to: Path) -> int:
    """Draw a dashboard; the number of panels that have data."""
    document = json.loads(board.read_text())
    panels = document["panels"]
    rows = math.ceil(len(panels) / COLUMNS)
    figure = Figure(figsize=(COLUMNS * PANEL_INCHES[0], rows * PANEL_INCHES[1]), layout="constrained")
    figure.suptitle(document["title"], x=0.01, ha="left", color=INK)
    places = list(figure.subplots(rows, COLUMNS, squeeze=False).flat)
    filled = 0
    for place, panel in zip(places, panels, strict=False):
        filled += _panel(place, panel, prometheus, span)
    for place in places[len(panels) :]:
        place.set_axis_off()
    figure.savefig(to, dpi=80)
    Image.open(to).convert("RGB").quantize(64).save(to, optimize=True)  # a third of the bytes
    return filled


def _panel(axes: Axes, panel: dict[str, Any], prometheus: Prometheus, span: Span) -> bool:
    axes.set_title(panel["title"], loc="left", fontsize=9, color=INK)
    axes.tick_params(labelsize=7, colors=FAINT)
    axes.spines[["top", "right"]].set_visible(False)
    found = [
        (_named(target["legendFormat"], labels), points)
        for target in panel["targets"]
        for labels, points in prometheus.over(_asked(target["expr"], span), span.start, span.end, span.step)
    ]
    if not found:
        axes.set_axis_off()
        axes.text(0.5, 0.5, "no data", ha="center", color=FAINT, transform=axes.transAxes)
    elif panel["type"] == "stat":
        axes.set_axis_off()
        told = "\n".join(f"{value(points[-1][1], 'short')}  {name}" for name, points in found)
        axes.text(0.5, 0.5, told, ha="center", va="center", fontsize=12, color=INK, transform=axes.transAxes)
    else:
        _lines(axes, found, panel, span)
    return bool(found)


def _lines(axes: Axes, found: list[tuple[str, list[tuple[float, float]]]], panel: dict[str, Any], span: Span) -> None:
    unit = panel["fieldConfig"]["defaults"]["unit"]
    for name, points in found:
        times = [moment - span.start for moment, _ in points]
        axes.plot(times, [number for _, number in points], linewidth=1.1, label=name)
    axes.set_xlim(0, span.end - span.start)
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda number, _: value(number, unit)))
    axes.grid(axis="y", linewidth=0.3)
    handles, names = axes.get_legend_handles_labels()
    axes.legend(
        handles[:MOST], names[:MOST], fontsize=6, framealpha=0.7, edgecolor="none", loc="upper left", labelcolor=INK
    )


def _asked(expression: str, span: Span) -> str:
    return expression.replace("$__rate_interval", span.rate).replace("$model", ".*")


def _named(form: str, labels: Mapping[str, str]) -> str:
    return re.sub(r"{{(\w+)}}", lambda found: labels.get(found[1], ""), form)


def value(number: float, unit: str) -> str:
    """A number in a unit of Grafana's, short."""
    if unit == "percentunit":
        return f"{100 * number:,.0f} %" if number >= 1 else f"{100 * number:.3g} %"
    if unit == "s" and 0 < number < 1:
        return f"{1e3 * number:.3g} ms"
    if unit == "bytes" and number:
        power = min(3, int(math.log(number, 1024)))
        return f"{number / 1024**power:.3g} {('B', 'KiB', 'MiB', 'GiB')[power]}"
    if number >= 1000:
        return f"{number:,.0f}"
    return f"{number:.3g}{' s' if unit == 's' else '/s' if unit in ('reqps', 'cps') else ''}"
