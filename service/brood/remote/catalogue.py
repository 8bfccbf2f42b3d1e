"""What all workers together can run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from brood.protocol.models import ModelState, ModelStatus
from brood.remote.status import ModelKey

RANKS: Mapping[ModelState, int] = {"ready": 0, "loading": 1, "failed": 2, "unloaded": 3}
MOST = 3  # workers, and reasons, that are told


@dataclass(frozen=True, slots=True)
class Sighting:
    """One model at one worker."""

    worker_id: str
    status: ModelStatus
    works: bool  # the worker is linked and takes new work


def catalogue(
    sightings: Iterable[Sighting], expected: Mapping[ModelKey, ModelStatus], seen: Mapping[ModelKey, ModelStatus]
) -> list[ModelStatus]:
    """Every model once, in order of name and version.

    Ready is what one worker has ready, and what is expected to come (back), if it is known how it looks and no worker
    has failed to load it: requests for it wait. What only those have that are gone or leave is loading.

    Args:
        sightings: what the workers say.
        expected: models that are to be had.
        seen: models as they were when some worker had them ready.
    """
    found: dict[ModelKey, list[Sighting]] = {key: [] for key in expected}
    for sighting in sightings:
        found.setdefault((sighting.status.name, sighting.status.version), []).append(sighting)
    return [_merged(found[key], expected.get(key), seen.get(key)) for key in sorted(found)]


def _merged(sightings: list[Sighting], expected: ModelStatus | None, seen: ModelStatus | None) -> ModelStatus:
    here = [sighting for sighting in sightings if sighting.works]
    best = min(here, key=lambda sighting: RANKS[sighting.status.state], default=None)
    failures: dict[str, list[str]] = {}  # reason → workers
    for each in here:
        if each.status.state == "failed":
            failures.setdefault(each.status.reason, []).append(each.worker_id)
    if best is not None and (best.status.state in ("ready", "failed") or expected is None):
        return replace(best.status, reason=_reason(best.status, failures))
    usual = seen or expected
    if expected is not None and usual is not None:
        return _awaited(usual, expected)
    gone = sightings[0].status
    return replace(gone, state="loading" if gone.state == "ready" else gone.state)


def _awaited(usual: ModelStatus, expected: ModelStatus) -> ModelStatus:
    manifest = usual.manifest or expected.manifest
    return replace(usual, state="ready" if manifest is not None else "loading", reason="", manifest=manifest)


def _reason(status: ModelStatus, failures: Mapping[str, Sequence[str]]) -> str:
    """Where a model has failed, and why; one that works on another worker is ready all the same."""
    if not failures or status.state not in ("ready", "failed"):
        return status.reason
    told = [f"{', '.join(_few(workers))}: {reason}" for reason, workers in failures.items()]
    return f"{'failed ' if status.state == 'ready' else ''}at {'; '.join(_few(told))}"


def _few(words: Sequence[str]) -> Sequence[str]:
    more = len(words) - MOST
    return words if more <= 0 else [*words[: MOST - 1], f"{words[MOST - 1]} and {more} more"]
