"""Panels of Grafana, and how they are laid out on a dashboard."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

WIDTH, COLUMNS, HEIGHT = 24, 3, 8  # of Grafana's grid; panels in a row
SOURCE = {"type": "prometheus", "uid": "${source}"}
PICK = 'model=~"$model"'  # the models that are looked at


@dataclass(frozen=True, slots=True)
class Query:
    """One expression, and how its series are named."""

    expr: str
    legend: str = ""


@dataclass(frozen=True, slots=True)
class Panel:
    """Series over time, or one number."""

    title: str
    unit: str  # as Grafana names it
    queries: tuple[Query, ...]
    description: str
    kind: str = "timeseries"  # or "stat"
    stacked: bool = False

    def document(self, number: int, x: int, y: int, width: int) -> dict[str, Any]:
        """As Grafana reads it."""
        custom = {"fillOpacity": 20, "stacking": {"mode": "normal"}} if self.stacked else {"fillOpacity": 5}
        defaults: dict[str, Any] = {"unit": self.unit}
        if self.kind == "timeseries":
            defaults["custom"] = custom
        return {
            "id": number,
            "type": self.kind,
            "title": self.title,
            "description": self.description,
            "datasource": SOURCE,
            "gridPos": {"x": x, "y": y, "w": width, "h": HEIGHT},
            "fieldConfig": {"defaults": defaults, "overrides": []},
            "options": {"tooltip": {"mode": "multi"}} if self.kind == "timeseries" else {},
            "targets": [
                {"refId": chr(ord("A") + place), "datasource": SOURCE, "expr": query.expr, "legendFormat": query.legend}
                for place, query in enumerate(self.queries)
            ],
        }


def quantiles(metric: str, by: str = "model", labels: str = PICK) -> tuple[Query, ...]:
    """Half, 90 % and 99 % of what a histogram counts are below."""
    rate = f"sum by ({by}, le) (rate({metric}_bucket{{{labels}}}[$__rate_interval]))"
    legend = f"{{{{{by}}}}}"
    return tuple(
        Query(f"histogram_quantile({part}, {rate})", f"{legend} p{part * 100:.0f}") for part in (0.5, 0.9, 0.99)
    )


def rate(metric: str, by: str, labels: str = PICK) -> str:
    """How fast a counter grows."""
    return f"sum by ({by}) (rate({metric}{{{labels}}}[$__rate_interval]))"


def dashboard(uid: str, title: str, description: str, panels: Sequence[Panel]) -> dict[str, Any]:
    """A whole dashboard; panels fill rows from the left."""
    return {
        "uid": uid,
        "title": title,
        "description": description,
        "tags": ["brood"],
        "schemaVersion": 39,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "timezone": "browser",
        "templating": {"list": [_source(), _model()]},
        "annotations": {"list": []},
        "panels": list(_placed(panels)),
    }


def _placed(panels: Iterable[Panel]) -> Iterable[dict[str, Any]]:
    width = WIDTH // COLUMNS
    for place, panel in enumerate(panels):
        yield panel.document(place + 1, place % COLUMNS * width, place // COLUMNS * HEIGHT, width)


def _source() -> dict[str, Any]:
    return {"name": "source", "label": "Prometheus", "type": "datasource", "query": "prometheus"}


def _model() -> dict[str, Any]:
    query = "label_values(brood_model_ready, model)"
    return {
        "name": "model",
        "label": "Model",
        "type": "query",
        "datasource": SOURCE,
        "query": {"query": query, "refId": "model"},
        "definition": query,
        "refresh": 2,
        "includeAll": True,
        "allValue": ".*",
        "multi": True,
        "current": {"text": "All", "value": "$__all"},
    }
