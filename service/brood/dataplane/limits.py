"""How much one request may ask for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on one request, whatever its transport."""

    max_n: int = 4096  # samples
    max_values: int = 2**27  # numbers in all outputs of all samples: bounds the memory an answer takes
    max_body_bytes: int = 64 * 2**20  # of a request, as it is sent and as it is when decompressed
    body_idle_s: float = 15.0  # without a byte of a body that is being sent
    body_total_s: float = 120.0  # for a whole body
