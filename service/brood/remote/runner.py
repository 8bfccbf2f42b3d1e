"""What a worker needs of whoever runs the models."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Protocol

from brood.protocol.events import Event
from brood.protocol.requests import Generation


class Runner(Protocol):
    """A part of `brood.dataplane.backend.Backend`: every backend is one."""

    def now(self) -> float:
        """See `Backend.now`."""
        ...

    def submit(self, generation: Generation) -> AsyncGenerator[Event, None]:
        """See `Backend.submit`."""
        ...
