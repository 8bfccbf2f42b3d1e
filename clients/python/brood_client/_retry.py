"""When to try again, and when to give up."""

from __future__ import annotations

import logging
import random
import time
from dataclasses import dataclass

from brood_client._errors import BroodError, error_of, invalid

FIRST_S = 0.5  # the longest wait after the first failure; doubled with each
MOST_S = 8.0
log = logging.getLogger("brood_client")
LONGEST_HINT_S = 60.0  # who says to come back later than this is believed, and not waited for


def wait_s(failures: int, hint_s: float | None, chance: float) -> float:
    """Seconds to wait: exponential back-off, at least half of it and at random, so that callers do not come in step.

    Args:
        failures: in a row, from 1.
        hint_s: what the server said (Retry-After, RetryInfo); never less than this.
        chance: 0 ≤ chance < 1, at random.
    """
    longest = min(FIRST_S * 2.0 ** (failures - 1), MOST_S)
    return (hint_s or 0.0) + longest * (0.5 + 0.5 * chance if hint_s is None else chance)


@dataclass(slots=True)
class Attempts:
    """The tries of one request, within its timeout."""

    retries: int
    timeout_s: float | None
    failures: int = 0  # in a row
    until: float | None = None

    def __post_init__(self) -> None:
        if self.timeout_s is not None:
            if not isinstance(self.timeout_s, int | float) or not self.timeout_s > 0:
                raise invalid("timeout_s", repr(self.timeout_s), "seconds, more than 0, or None")
            self.until = time.monotonic() + self.timeout_s

    @property
    def left_s(self) -> float | None:
        """Seconds that are left; None: as long as it takes.

        Raises:
            DeadlineExceeded: none.
        """
        if self.until is None:
            return None
        left = self.until - time.monotonic()
        if left <= 0 and self.failures:
            raise error_of("deadline_exceeded", f"not finished within {self.timeout_s} s")
        return left

    def succeeded(self) -> None:
        """Something came: what fails from now on counts anew."""
        self.failures = 0

    def wait_s(self, error: BroodError) -> float:
        """Seconds to wait after an error before trying again.

        Raises:
            BroodError: that error, if there is no use in it: not retryable, too many failures, or too little time.
        """
        self.failures += 1
        if not error.retryable or self.failures > self.retries:
            raise error
        seconds = wait_s(self.failures, error.retry_after_s, random.random())
        if (error.retry_after_s or 0.0) > LONGEST_HINT_S:
            raise error
        if self.until is not None and time.monotonic() + seconds >= self.until:
            raise error
        log.info("trying again in %.2f s, after failure %d of %d: %s", seconds, self.failures, self.retries, error)
        return seconds
