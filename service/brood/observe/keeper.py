"""One exporter a node, whichever of its processes dies: whoever is there takes the port over.

All processes of a node run a keeper. One of them has the port and tells what all have counted; the others look again
and again whether it has become free.
"""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable
from threading import Event, Thread

from brood.observe.exporter import Exporter

log = logging.getLogger(__name__)
LOOK_S = 1.0  # a scrape every 15 s misses nothing


class Keeper:
    """Keeps the exporter of this node alive while this process lives.

    Args:
        make: opens the exporter's port; raises OSError if it cannot.
        look_s: how often it is tried again.
    """

    def __init__(self, make: Callable[[], Exporter], look_s: float = LOOK_S) -> None:
        self._make, self._look_s = make, look_s
        self._closing = Event()
        self._told = False
        self._thread = Thread(target=self._keep, name="brood-keeper", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Leave the port to others."""
        self._closing.set()
        self._thread.join()

    def _keep(self) -> None:
        while not self._closing.is_set():
            exporter = self._try()
            if exporter is None:
                self._closing.wait(self._look_s)
                continue
            with exporter:
                log.info("this process tells the metrics of its node on port %d", exporter.port)
                self._closing.wait()

    def _try(self) -> Exporter | None:
        try:
            return self._make()
        except OSError as error:
            if error.errno != errno.EADDRINUSE and not self._told:
                log.error("the metrics cannot be told: %s", error)
                self._told = True
        return None
