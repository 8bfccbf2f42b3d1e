"""What the data plane needs from whoever runs the models: the host in this process, or another process's."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Protocol

from brood.protocol.events import Event
from brood.protocol.models import ModelStatus
from brood.protocol.requests import Generation


class Backend(Protocol):
    """Runs checked generations on ready models."""

    def models(self) -> Sequence[ModelStatus]:
        """All models known here, in order of name and version, with their states."""
        ...

    def now(self) -> float:
        """The clock that deadlines are read on, in seconds."""
        ...

    def submit(self, generation: Generation) -> AsyncGenerator[Event, None]:
        """Queue a generation and tell what happens to it.

        Closing the iterator early cancels what is left. The last event is `Done` or `Failed`.

        Raises:
            Overloaded: the queue is full (raised at the call, before any event).
        """
        ...

    async def load(self, name: str) -> None:
        """Load the versions of a model that are not ready; the statuses tell what came of it.

        Raises:
            ModelNotFound: there is none of that name.
        """
        ...

    async def unload(self, name: str) -> None:
        """Let go of all versions of a model; what runs goes on to its end.

        Raises:
            ModelNotFound: there is none of that name.
        """
        ...

    def cancel(self, request_id: str) -> bool:
        """Cancel a running generation; False if there is none of that id."""
        ...
