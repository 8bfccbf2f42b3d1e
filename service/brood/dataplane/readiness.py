"""Whether the server as a whole can be sent work."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from brood.protocol.models import ModelStatus


@dataclass(frozen=True, slots=True)
class Readiness:
    """Ready, or why not."""

    ready: bool
    reason: str  # empty when ready


def readiness(statuses: Sequence[ModelStatus], required: Collection[str]) -> Readiness:
    """Ready when nothing is loading, every required model is ready, and at least one model is.

    Args:
        statuses: all models.
        required: names of the models that were asked for; a failure of others does not matter.
    """
    at_work = {status.name for status in statuses if status.state == "ready"}
    missing = [name for name in required if name not in at_work]
    loading = [f"{status.name} {status.version}" for status in statuses if status.state == "loading"]
    failed = [f"{status.name} {status.version}: {status.reason}" for status in statuses if status.state == "failed"]
    if loading:
        return Readiness(False, f"loading: {', '.join(loading)}")
    if missing or not at_work:
        what = f"required but not ready: {', '.join(missing)}" if missing else "no model is ready"
        return Readiness(False, "; ".join([what, *failed]))
    return Readiness(True, "")
