"""Long work on a thread of its own that nobody has to wait for, not even the end of the process."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Generic, TypeVar

Found = TypeVar("Found")


class _Work(Generic[Found]):
    """One piece of it. (A thread pool's threads are waited for at the end of the process: a store may never answer.)"""

    def __init__(self, work: Callable[[], Found]) -> None:
        self._work = work
        self._loop = asyncio.get_running_loop()
        self.future: asyncio.Future[Found] = self._loop.create_future()

    def run(self) -> None:
        """On the thread."""
        try:
            found = self._work()
        except BaseException as error:
            self._tell(self._fail, error)
        else:
            self._tell(self._end, found)

    def _tell(self, how: Callable[..., None], what: object) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody wants to know
            self._loop.call_soon_threadsafe(how, what)

    def _end(self, found: Found) -> None:
        if not self.future.done():
            self.future.set_result(found)

    def _fail(self, error: BaseException) -> None:
        if not self.future.done():
            self.future.set_exception(error)


def on_thread(work: Callable[[], Found], name: str) -> tuple[asyncio.Future[Found], threading.Thread]:
    """Begin some work on a new thread; its result, or what it raises, comes to the event loop that asked."""
    own = _Work(work)
    thread = threading.Thread(target=own.run, name=name, daemon=True)
    thread.start()
    return own.future, thread
