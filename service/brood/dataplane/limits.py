"""How much one request may ask for, and how much is kept of those that were answered."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ReplayLimits:
    """How much is remembered under idempotency keys, and how long."""

    keep_s: float = 3600.0
    max_count: int = 1024  # answers
    max_bytes: int = 128 * 2**20  # of all answers; one that is larger is not kept


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on requests, whatever their transport."""

    max_n: int = 4096  # samples
    max_values: int = 2**27  # numbers in all outputs of all samples: bounds the memory an answer takes
    max_body_bytes: int = 64 * 2**20  # of a request, as it is sent and as it is when decompressed
    body_idle_s: float = 15.0  # without a byte of a body that is being sent
    body_total_s: float = 120.0  # for a whole body
    replays: ReplayLimits = field(default_factory=ReplayLimits)
