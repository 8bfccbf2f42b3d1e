"""Statistics of models in Triton's words (``ModelStatistics``), as plain mappings."""

from __future__ import annotations

from typing import Any

from brood.dataplane import DataPlane
from brood.dataplane.statistics import Total
from brood.protocol.models import ModelStatus

Json = dict[str, Any]
NOTHING = {"count": 0, "ns": 0}


def statistics(plane: DataPlane, name: str = "", version: int | None = None) -> list[Json]:
    """What has been done for the versions meant: of one model, of one version of it, or all that are ready.

    Times of input and output are part of the time of inference: the engine does not take them apart. Executions and
    batches are graph calls, and count those of all versions of a model together.

    Raises:
        ModelNotFound: no such model, or no such version of it.
    """
    if not name:
        meant = [status for status in plane.models() if status.state == "ready"]
    elif version is None:
        plane.model(name)
        meant = [status for status in plane.models() if status.name == name and status.state == "ready"]
    else:
        meant = [plane.model(name, version)]
    return [_statistics(plane, status) for status in meant]


def _statistics(plane: DataPlane, status: ModelStatus) -> Json:
    model, calls = plane.statistics.model(status.name, status.version), plane.statistics.calls(status.name)
    return {
        "name": status.name,
        "version": str(status.version),
        "last_inference": model.last_ms,
        "inference_count": model.rows,
        "execution_count": sum(total.count for total in calls.values()),
        "inference_stats": {
            "success": _total(model.success),
            "fail": _total(model.fail),
            "queue": _total(model.queue),
            "compute_input": _spent_within(model.run),
            "compute_infer": _total(model.run),
            "compute_output": _spent_within(model.run),
            "cache_hit": NOTHING,
            "cache_miss": NOTHING,
        },
        "batch_stats": [
            {
                "batch_size": rows,
                "compute_input": _spent_within(total),
                "compute_infer": _total(total),
                "compute_output": _spent_within(total),
            }
            for rows, total in sorted(calls.items())
        ],
        "memory_usage": [],
    }


def _total(total: Total) -> Json:
    return {"count": total.count, "ns": total.ns}


def _spent_within(total: Total) -> Json:
    """As often, and no time of its own."""
    return {"count": total.count, "ns": 0}
