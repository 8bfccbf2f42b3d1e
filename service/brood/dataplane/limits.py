"""How much one request may ask for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on one request, whatever its transport."""

    max_n: int = 4096  # samples
    max_values: int = 2**27  # numbers in all outputs of all samples: bounds the memory an answer takes
    max_body_bytes: int = 64 * 2**20  # of a request as it is sent
