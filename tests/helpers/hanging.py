"""Fake graphs that hang (``hangs_on``) until the test lets them go."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from brood.runtimes import fake

LIMIT_S = 30.0  # no test waits so long; it only keeps a broken one from waiting for ever


class Hanging:
    """Calls that hang, and the end of it."""

    def __init__(self) -> None:
        self._arrived, self._let_go = threading.Semaphore(0), threading.Event()

    def hang(self) -> None:
        """Stands in for `brood.runtimes.fake.hang`."""
        self._arrived.release()
        self._let_go.wait(LIMIT_S)

    def wait_for_call(self) -> None:
        """Return when one more call hangs."""
        assert self._arrived.acquire(timeout=LIMIT_S), "no call hangs"

    def let_go(self) -> None:
        """Let every call that hangs, or will, end as if it had been slow."""
        self._let_go.set()


@contextmanager
def hanging() -> Iterator[Hanging]:
    """While it lasts, calls that hang can be waited for and let go; in the end all are let go."""
    held, before = Hanging(), fake.hang
    fake.hang = held.hang
    try:
        yield held
    finally:
        held.let_go()
        fake.hang = before
