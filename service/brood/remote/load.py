"""How much a worker has to do, as an ingress reckons it between two statuses.

A status is up to 100 ms old, and says nothing of what was sent since. But an ingress knows what is left of its own
chunks. So: backlog = own, known now + rest, where rest = (reported − own) at the time of the last status: the work of
other ingresses, less what is done of own rows that have begun.
"""

from __future__ import annotations

from collections.abc import Iterable

from brood.remote.status import WorkerStatus


class Load:
    """Predicted device seconds at one worker, by class."""

    def __init__(self) -> None:
        self._own = [0.0, 0.0]  # interactive, bulk
        self._rest = [0.0, 0.0]

    def add(self, bulk: bool, seconds: float) -> None:
        """So much was sent there; negative: has been made."""
        self._own[bulk] += seconds

    def report(self, status: WorkerStatus, own: Iterable[tuple[bool, float, bool]]) -> None:
        """Take in a status.

        Args:
            status: what it says.
            own: of each own chunk that is unfinished: whether it is bulk, what is left of it, and whether the status
                contains it.
        """
        self._own, known = [0.0, 0.0], [0.0, 0.0]
        for bulk, seconds, seen in own:
            self._own[bulk] += seconds
            known[bulk] += seconds * seen
        self._rest = [status.interactive_s - known[0], status.bulk_s - known[1]]

    def ahead_s(self, bulk: bool) -> float:
        """Predicted seconds of work of this class and those before it: bulk waits for interactive work, too."""
        interactive = max(0.0, self._own[0] + self._rest[0])
        return interactive + max(0.0, self._own[1] + self._rest[1]) if bulk else interactive
