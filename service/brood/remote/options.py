"""How an ingress deals with its workers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RemoteOptions:
    """Bounds and patience of a `brood.remote.backend.RemoteBackend`."""

    max_held: int = 1000  # requests that wait for a model which is expected
    max_held_bytes: int = 2**28  # inputs of those
    max_hold_s: float = 120.0  # so long a request waits for such a model
    max_unsent_bytes: int = 2**28  # that wait for one link; a worker behind more of them is taken for busy
    connect_s: float = 5.0  # a worker that has not said anything by then is tried anew
    reconnect_s: float = 1.0  # at most so long from one try to the next
    keepalive_s: float = 2.0  # a silent link is asked for a sign of life so often …
    silence_s: float = 5.0  # … and taken for broken if there is none for so long
