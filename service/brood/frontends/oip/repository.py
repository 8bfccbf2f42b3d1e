"""Models loaded and unloaded by callers. Off unless the server has the setting ``admin``.

Beside what the protocol says, the parameter ``version`` chooses one version, and ``reload``, true, loads anew whatever
has other bytes in the store than those that serve.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from brood.dataplane import DataPlane
from brood.protocol.errors import PermissionDenied, invalid

# A caller that could send these would make the server read other files than those it was started with.
OVERRIDES = ("config", "file:")


async def load(plane: DataPlane, name: str, parameters: Mapping[str, object]) -> None:
    """Load what is not ready of a model.

    Raises:
        PermissionDenied: the server does not allow it, or never what the parameters ask for.
        InvalidArgument: a parameter has another type.
        BroodError: as `DataPlane.load` and `DataPlane.reload` raise.
    """
    for given in parameters:
        if given.startswith(OVERRIDES):
            field = f"parameters.{given}"
            raise PermissionDenied(f"{field}: models are loaded as they lie in the store, unchanged", field=field)
    version, anew = _version(parameters), parameters.get("reload", False)
    if not isinstance(anew, bool):
        raise invalid("parameters.reload", anew, "true or false")
    await (plane.reload if anew else plane.load)(name, version)


async def unload(plane: DataPlane, name: str, parameters: Mapping[str, object]) -> None:
    """Let go of a model; what runs goes on to its end.

    Raises:
        InvalidArgument: a parameter has another type.
        BroodError: as `DataPlane.unload` raises.
    """
    await plane.unload(name, _version(parameters))


def _version(parameters: Mapping[str, object]) -> int | None:
    """One version; None: all. Triton's clients send parameters as text, too."""
    given = parameters.get("version")
    if given is None:
        return None
    if isinstance(given, bool) or not re.fullmatch(r"[1-9][0-9]{0,17}", str(given)):
        raise invalid("parameters.version", given, "an integer from 1 on")
    return int(str(given))
