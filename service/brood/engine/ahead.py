"""Noise that is drawn on a thread of its own, while the device computes."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor as Threads
from concurrent.futures import Future

from brood.engine.inputs import Lack, draw


class Ahead:
    """Draws what rows will lack.

    Rows go from one lane to another between two calls; so whoever needs numbers waits for all that is being drawn, also
    for others.

    Args:
        threads: one thread.
    """

    def __init__(self, threads: Threads) -> None:
        self._threads = threads
        self._last: Future[None] | None = None

    def begin(self, lacks: Sequence[Lack]) -> None:
        """Draw this, behind what was asked for before."""
        self._last = self._threads.submit(draw, lacks)

    def finish(self) -> None:
        """Wait for all of it. If something failed it will fail again, where its row can be blamed."""
        last = self._last
        if last is not None:
            last.exception()
            if self._last is last:
                self._last = None
