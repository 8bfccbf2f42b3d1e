"""Models loaded, unloaded and reloaded by callers, apart from any transport."""

from __future__ import annotations

from collections.abc import Sequence

from brood.dataplane import DataPlane
from brood.protocol.models import ModelStatus
from brood.store.wanted import Change


async def change_model(plane: DataPlane, change: Change, name: str, version: int | None) -> Sequence[ModelStatus]:
    """Do it, and wait until it is done: what then is known of the model's versions.

    Raises:
        BroodError: as `DataPlane.load`, `DataPlane.unload` and `DataPlane.reload` raise.
    """
    verbs = {"load": plane.load, "unload": plane.unload, "reload": plane.reload}
    await verbs[change](name, version)
    return [status for status in plane.models() if status.name == name]
