"""A way to a server."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Protocol

from brood_client._endpoint import Endpoint
from brood_client._events import Event
from brood_client._generation import Generation
from brood_client._models import Change, Model
from brood_client._request import Request


class AsyncTransport(Protocol):
    """What `AsyncClient` needs of a transport. All raise `BroodError`; ``left_s`` is None or seconds.

    A stream that is closed early, and a call that is cancelled, end the work on the server.
    """

    async def generate(self, request: Request, left_s: float | None) -> Generation: ...

    def stream(self, request: Request, left_s: float | None) -> AsyncGenerator[Event, None]: ...

    async def models(self, left_s: float | None) -> list[Model]: ...

    async def model(self, name: str, version: int | None, left_s: float | None) -> Model: ...

    async def change(self, change: Change, name: str, version: int | None, left_s: float | None) -> list[Model]: ...

    async def cancel(self, request_id: str, left_s: float | None) -> bool: ...

    async def aclose(self) -> None: ...


def transport_to(endpoint: Endpoint) -> AsyncTransport:
    """Each transport needs a library of its own, so it is imported when it is chosen.

    Raises:
        ImportError: it is not installed.
        OSError: a file for TLS cannot be read.
    """
    if endpoint.kind == "http":
        try:
            from brood_client._async.http import AsyncHttp
        except ModuleNotFoundError as error:
            raise ImportError(f"{endpoint.url} needs {error.name}: pip install 'brood[client]'") from error
        return AsyncHttp(endpoint)
    from brood_client._async.grpc import AsyncGrpc

    return AsyncGrpc(endpoint)
