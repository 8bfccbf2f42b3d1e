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

    async def load(self, name: str, version: int | None = None) -> None:
        """Load what is not ready of a model, and wait; the statuses tell what came of it.

        Args:
            name: of the model.
            version: this one; None: those that the model's policy says.

        Raises:
            ModelNotFound: there is none of that name, or not that version.
            NotReady: the store cannot be read.
        """
        ...

    async def unload(self, name: str, version: int | None = None) -> None:
        """Let go of one version of a model, or of all; what runs goes on to its end.

        Raises:
            ModelNotFound: there is none of that name, or not that version.
        """
        ...

    async def reload(self, name: str, version: int | None = None) -> None:
        """As `load`; and where the store has other bytes than those that serve, they take their place once ready.

        Raises:
            ModelNotFound, NotReady: as `load` raises.
        """
        ...

    def problems(self) -> Sequence[str]:
        """What is wrong, though single models may serve: that the store cannot be read, say. For people."""
        ...

    def cancel(self, request_id: str) -> bool:
        """Cancel a running generation; False if there is none of that id."""
        ...
