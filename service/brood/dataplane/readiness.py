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
    problems: tuple[str, ...] = ()  # what is wrong beside single models, ready or not


def readiness(
    statuses: Sequence[ModelStatus], required: Collection[str], problems: Sequence[str] = (), *, before: bool = False
) -> Readiness:
    """Ready when every required model is ready, at least one is, and at first, nothing is loading any more.

    A server that was ready stays so while more is loaded.

    Args:
        statuses: all models.
        required: names of the models that were asked for; a failure of others does not matter.
        problems: what is wrong beside single models.
        before: whether the server was ready before.
    """
    at_work = {status.name for status in statuses if status.state == "ready"}
    missing = [name for name in required if name not in at_work]
    loading = [f"{status.name} {status.version}" for status in statuses if status.state == "loading"]
    failed = [f"{status.name} {status.version}: {status.reason}" for status in statuses if status.state == "failed"]
    told = tuple(problems)
    if loading and not before:
        return Readiness(False, "; ".join([f"loading: {', '.join(loading)}", *problems]), told)
    if missing or not at_work:
        what = f"required but not ready: {', '.join(missing)}" if missing else "no model is ready"
        return Readiness(False, "; ".join([what, *failed, *problems]), told)
    return Readiness(True, "", told)
