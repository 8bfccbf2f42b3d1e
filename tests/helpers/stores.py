"""Stores for tests: one in memory that a test steers, and a directory behind HTTP."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from brood.store.source import Directory, Found, StoreUnreachable
from brood.store.store import Bundle


class SteeredStore:
    """A directory of bundles that is there or not, and holds up whoever opens a bundle, as a test says.

    Attributes:
        away: why it cannot be read; empty: it can.
        open_error: raised by `open` instead of anything else.
        opened: keys of the bundles that were opened, in order.
        looks: how often it was looked at.
    """

    def __init__(self, root: Path, *, distant: bool = False) -> None:
        self.where, self.distant = "steered", distant
        self.away = ""
        self.open_error: Exception | None = None
        self.opened: list[tuple[str, int]] = []
        self.looks = 0
        self.opening = threading.Semaphore(0)  # released whenever a bundle is about to be opened
        self.go = threading.Event()  # cleared: bundles are not opened until it is set
        self.go.set()
        self._directory = Directory(root)

    def look(self) -> Sequence[Found]:
        """See `Store.look`."""
        self.looks += 1
        self._check()
        return self._directory.look()

    def digest(self, found: Found) -> str:
        """See `Store.digest`."""
        self._check()
        return self._directory.digest(found)

    def open(self, found: Found, *, allow_native: bool) -> Bundle:
        """See `Store.open`."""
        self.opening.release()
        self.go.wait()
        self.opened.append(found.key)
        self._check()
        if self.open_error is not None:
            raise self.open_error
        return self._directory.open(found, allow_native=allow_native)

    def _check(self) -> None:
        if self.away:
            raise StoreUnreachable(f"steered: {self.away}")


class _Files(SimpleHTTPRequestHandler):
    """Files, and pages that list directories."""

    def do_GET(self) -> None:
        """Answer, and note what was asked for."""
        self.server.asked.append(self.path)  # type: ignore[attr-defined]
        super().do_GET()

    def log_message(self, *words: Any) -> None:
        """Say nothing."""


@contextmanager
def served_over_http(root: Path, port: int = 0) -> Iterator[tuple[str, list[str]]]:
    """A directory behind HTTP, on a port or any: its URL, and the paths that are asked for."""
    with ThreadingHTTPServer(("127.0.0.1", port), partial(_Files, directory=str(root))) as server:
        asked: list[str] = []
        server.asked = asked  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()
            thread.join()
