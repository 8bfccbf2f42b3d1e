"""A token bucket: so many requests a second on average, and so many at once after a rest."""

from __future__ import annotations


class TokenBucket:
    """Holds up to ``burst`` tokens and gains ``rate_per_s`` a second; a request takes one.

    tokens(t) = min(burst, tokens(t₀) + rate·(t − t₀))

    Args:
        rate_per_s: above 0.
        burst: at least 1.
        now: seconds from anywhere; it is full then.
    """

    def __init__(self, rate_per_s: float, burst: int, now: float) -> None:
        self.rate_per_s, self.burst = rate_per_s, burst
        self._tokens, self._at = float(burst), now

    def take(self, now: float) -> float:
        """Take a token; 0, or the seconds until there will be one (then none was taken)."""
        self._tokens = min(self.burst, self._tokens + self.rate_per_s * max(0.0, now - self._at))
        self._at = now
        if self._tokens >= 1.0:
            self._tokens -= 1.0
            return 0.0
        return (1.0 - self._tokens) / self.rate_per_s
