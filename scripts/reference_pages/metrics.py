"""``metrics.md``: every metric."""

from __future__ import annotations

from brood.observe.catalogue import CATALOGUE, Spec
from brood.observe.triton import ALIASES
from reference_pages.text import page, table

OVER = {"livesum": "sum", "livemax": "largest", "livemostrecent": "last set"}


def metrics_page() -> str:
    """The tables of metrics."""
    text = (
        "Told on port 9464 under `/metrics`, one exporter a node. Counters and histograms are summed over all "
        "processes of the node, dead ones included; of gauges only living processes count. Names that callers make up "
        "are counted as `unknown`, so that labels stay few. What to look at, and what to do: "
        "[operate.md](../operate.md)."
    )
    triton = (
        "## Under the names of Triton\n\nMade of the above when they are asked for, so that dashboards and alerts made "
        "for Triton Inference Server go on working. They have the label `model`, and failures `reason`."
    )
    aliases = table(
        ("metric", "of", "what it tells"), [(f"`{alias.name}`", f"`{alias.of}`", alias.help) for alias in ALIASES]
    )
    return page(
        "Metrics", text, table(("metric", "kind", "labels", "what it tells"), map(_row, CATALOGUE)), triton, aliases
    )


def _row(spec: Spec) -> tuple[str, str, str, str]:
    kind = f"gauge, {OVER[spec.over]}" if spec.kind == "gauge" else spec.kind
    return (f"`{spec.name}`", kind, ", ".join(f"`{label}`" for label in spec.labels), spec.help)
