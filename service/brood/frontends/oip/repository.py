"""Models loaded and unloaded by callers. Off unless the server has the setting ``admin``."""

from __future__ import annotations

from collections.abc import Mapping

from brood.dataplane import DataPlane
from brood.protocol.errors import PermissionDenied

# A caller that could send these would make the server read other files than those it was started with.
OVERRIDES = ("config", "file:")


async def load(plane: DataPlane, name: str, parameters: Mapping[str, object]) -> None:
    """Load the versions of a model that are not ready.

    Raises:
        PermissionDenied: the server does not allow it, or never what the parameters ask for.
        BroodError: as `DataPlane.load` raises.
    """
    for given in parameters:
        if given.startswith(OVERRIDES):
            field = f"parameters.{given}"
            raise PermissionDenied(f"{field}: models are loaded as they lie in the store, unchanged", field=field)
    await plane.load(name)


async def unload(plane: DataPlane, name: str) -> None:
    """Let go of a model; what runs goes on to its end.

    Raises:
        BroodError: as `DataPlane.unload` raises.
    """
    await plane.unload(name)
