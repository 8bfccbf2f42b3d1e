"""The exporter: one HTTP server a node that adds up what all processes of that node have counted.

It lives in the process that supervises them, so that the numbers outlive the death of any one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from ssl import SSLContext
from types import TracebackType
from typing import Self

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

from brood.observe.scrapes import Check, ScrapeServer


class _LiveCollector(Collector):
    """Sums the files of a directory, without the gauges of processes that are gone."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._files = MultiProcessCollector(None, str(directory))

    def collect(self) -> Iterator[Metric]:
        for pid in {int(file.stem.rpartition("_")[2]) for file in self._directory.glob("gauge_live*.db")}:
            if not _alive(pid):
                mark_process_dead(pid, str(self._directory))
        yield from self._files.collect()


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # another user's, but there
    return True


class Exporter:
    """Serves ``/metrics`` in a thread until it is closed.

    Args:
        host: address to listen on.
        port: 0 for any free one; `port` tells which.
        directory: where the processes write.
        check: refuses requests by raising; None: everybody may read.
        tls: None: in the clear.

    Raises:
        OSError: the port is taken.
    """

    def __init__(
        self, host: str, port: int, directory: Path, check: Check | None = None, tls: SSLContext | None = None
    ) -> None:
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_LiveCollector(directory))
        self._server = ScrapeServer(host, port, registry, check, tls)
        self.port = self._server.port

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
