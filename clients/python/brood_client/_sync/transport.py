# Made of _async/transport.py by scripts/unasync.py: change that, and run it.
"""A way to a server."""

from __future__ import annotations

from collections.abc import Generator
from typing import Protocol

from brood_client._endpoint import Endpoint
from brood_client._events import Event
from brood_client._generation import Generation
from brood_client._models import Change, Model
from brood_client._request import Request


class Transport(Protocol):
    """What `Client` needs of a transport. All raise `BroodError`; ``left_s`` is None or seconds.

    A stream that is closed early, and a call that is cancelled, end the work on the server.
    """

    def generate(self, request: Request, left_s: float | None) -> Generation: ...

    def stream(self, request: Request, left_s: float | None) -> Generator[Event, None]: ...

    def models(self, left_s: float | None) -> list[Model]: ...

    def model(self, name: str, version: int | None, left_s: float | None) -> Model: ...

    def change(self, change: Change, name: str, version: int | None, left_s: float | None) -> list[Model]: ...

    def cancel(self, request_id: str, left_s: float | None) -> bool: ...

    def close(self) -> None: ...


def transport_to(endpoint: Endpoint) -> Transport:
    """Each transport needs a library of its own, so it is imported when it is chosen.

    Raises:
        ImportError: it is not installed.
        OSError: a file for TLS cannot be read.
    """
    if endpoint.kind == "http":
        try:
            from brood_client._sync.http import Http
        except ModuleNotFoundError as error:
            raise ImportError(f"{endpoint.url} needs {error.name}: pip install 'brood[client]'") from error
        return Http(endpoint)
    from brood_client._sync.grpc import Grpc

    return Grpc(endpoint)
