"""What all workers together can run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from brood.protocol.models import ModelState, ModelStatus
from brood.remote.status import ModelKey

RANKS: Mapping[ModelState, int] = {"ready": 0, "loading": 1, "failed": 2, "unloaded": 3}
MOST_REASONS = 3


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
    failures = [f"{each.worker_id}: {each.status.reason}" for each in here if each.status.state == "failed"]
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


def _reason(status: ModelStatus, failures: list[str]) -> str:
    """A model that fails on one worker and works on another is ready, with the failure told."""
    if status.state != "ready" or not failures:
        return status.reason
    more = f" and {len(failures) - MOST_REASONS} more" if len(failures) > MOST_REASONS else ""
    return f"failed at {'; '.join(failures[:MOST_REASONS])}{more}"
