"""Client of a brood server, over HTTP or gRPC.

from brood_client import Client

with Client("http://127.0.0.1:8000") as client:      # or "grpc://127.0.0.1:9000"
    images = client.generate("glyphs-vae", n=4, seed=7, params={"label": 3}).images

`AsyncClient` is the same for asyncio. What is named here is imported when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from brood_client._async.client import AsyncClient
    from brood_client._async.stream import AsyncStream
    from brood_client._content import Content
    from brood_client._errors import (
        BroodError,
        Cancelled,
        DeadlineExceeded,
        DeadlineInfeasible,
        DeterminismUnavailable,
        IdempotencyConflict,
        InvalidArgument,
        ModelNotFound,
        ModelUnavailable,
        NotReady,
        Overloaded,
        PayloadTooLarge,
        PermissionDenied,
        RateLimited,
        RowFailed,
        Unauthenticated,
        Unreachable,
    )
    from brood_client._events import Accepted, Done, Event, Preview, Progress, Sample, Timing, Usage
    from brood_client._generation import Generation
    from brood_client._models import Input, Medium, Model, Operation, Output, Param
    from brood_client._request import Options
    from brood_client._sound import Audio
    from brood_client._sync.client import Client
    from brood_client._sync.stream import Stream

_ERRORS = (
    "BroodError Cancelled DeadlineExceeded DeadlineInfeasible DeterminismUnavailable IdempotencyConflict "
    "InvalidArgument ModelNotFound ModelUnavailable NotReady Overloaded PayloadTooLarge PermissionDenied RateLimited "
    "RowFailed Unauthenticated Unreachable"
)
_PLACES = {
    "_async.client": "AsyncClient",
    "_async.stream": "AsyncStream",
    "_content": "Content",
    "_errors": _ERRORS,
    "_events": "Accepted Done Event Preview Progress Sample Timing Usage",
    "_generation": "Generation",
    "_models": "Input Medium Model Operation Output Param",
    "_request": "Options",
    "_sound": "Audio",
    "_sync.client": "Client",
    "_sync.stream": "Stream",
}
_WHERE = {name: module for module, names in _PLACES.items() for name in names.split()}

__all__ = [
    "Accepted",
    "AsyncClient",
    "AsyncStream",
    "Audio",
    "BroodError",
    "Cancelled",
    "Client",
    "Content",
    "DeadlineExceeded",
    "DeadlineInfeasible",
    "DeterminismUnavailable",
    "Done",
    "Event",
    "Generation",
    "IdempotencyConflict",
    "Input",
    "InvalidArgument",
    "Medium",
    "Model",
    "ModelNotFound",
    "ModelUnavailable",
    "NotReady",
    "Operation",
    "Options",
    "Output",
    "Overloaded",
    "Param",
    "PayloadTooLarge",
    "PermissionDenied",
    "Preview",
    "Progress",
    "RateLimited",
    "RowFailed",
    "Sample",
    "Stream",
    "Timing",
    "Unauthenticated",
    "Unreachable",
    "Usage",
]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_WHERE[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
