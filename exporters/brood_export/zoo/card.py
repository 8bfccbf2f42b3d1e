"""The training section of a zoo model's card, from what its training wrote down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

BARS = "▁▂▃▄▅▆▇█"
BAR_COUNT = 40


def training_section(report: Mapping[str, object]) -> str:
    """Data, architecture, command, time, curves and held-out figures in Markdown.

    Args:
        report: as `training.report` reads it.
    """
    seconds = cast(float, report["seconds"])
    facts = (
        f"- data: {report['data']}\n"
        f"- architecture: {report['architecture']}\n"
        f"- parameters: {report['parameters']:,}\n"
        f"- training: {report['steps']:,} steps of {report['batch']} rows, highest learning rate "
        f"{report['learning_rate']:g}, seed {report['seed']}\n"
        f"- time: {seconds / 60:.1f} minutes on one CPU core\n"
        f"- command: `brood-export zoo train {report['name']}`, then `brood-export zoo export {report['name']}`"
    )
    curves = cast(Mapping[str, Sequence[float]], report["curves"])
    heldout = cast(Mapping[str, float], report["heldout"])
    return f"## Training\n\n{facts}\n\n{curve_table(curves)}\n\n## Held-out figures\n\n{figure_table(heldout)}"


def curve_table(curves: Mapping[str, Sequence[float]]) -> str:
    """Each curve as a line of bars between its own extremes, with its first and last value."""
    lines = ["| curve | first | over the training | last |", "|---|---|---|---|"]
    for name, values in curves.items():
        if name != "step":
            lines.append(f"| {name} | {values[0]:.4g} | {bars(values)} | {values[-1]:.4g} |")
    return "\n".join(lines)


def bars(values: Sequence[float]) -> str:
    """At most BAR_COUNT characters, low to high; one value stands for its neighbours."""
    stride = -(-len(values) // BAR_COUNT)
    shown = values[::stride]
    low, high = min(shown), max(shown)
    scale = (len(BARS) - 1) / (high - low) if high > low else 0.0
    return "".join(BARS[round((value - low) * scale)] for value in shown)


def figure_table(figures: Mapping[str, float]) -> str:
    return "\n".join(["| figure | value |", "|---|---|", *(f"| {key} | {value:g} |" for key, value in figures.items())])
