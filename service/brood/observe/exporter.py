"""The exporter: one HTTP server a node that adds up what all processes of that node have counted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from ssl import SSLContext
from types import TracebackType
from typing import Self

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from brood.observe import catalogue
from brood.observe.catalogue import Spec
from brood.observe.devices import DeviceLoad, Devices, driver_library
from brood.observe.living import forget_dead
from brood.observe.scrapes import Check, ScrapeServer
from brood.observe.triton import aliases


class _Node(Collector):
    """What a directory's files add up to, without the gauges of dead processes, and what is seen of the node."""

    def __init__(self, directory: Path, devices: Devices) -> None:
        self._directory, self._devices = directory, devices
        self._files = MultiProcessCollector(None, str(directory))

    def collect(self) -> Iterator[Metric]:
        alive = forget_dead(self._directory)
        counted = list(self._files.collect())
        yield from counted
        yield from aliases(counted)
        yield _gauge(catalogue.PROCESSES, [((), alive)])
        loads = list(self._devices.loads())
        if loads:
            yield from _told(loads)


def _told(loads: list[DeviceLoad]) -> Iterator[Metric]:
    yield _gauge(catalogue.DEVICE_USED, [((load.device,), load.used_bytes) for load in loads])
    yield _gauge(catalogue.DEVICE_TOTAL, [((load.device,), load.total_bytes) for load in loads])
    yield _gauge(catalogue.DEVICE_BUSY, [((load.device,), load.utilisation) for load in loads])


def _gauge(spec: Spec, values: list[tuple[tuple[str, ...], float]]) -> Metric:
    metric = Metric(spec.name, spec.help, "gauge")
    for labels, value in values:
        metric.add_sample(spec.name, dict(zip(spec.labels, labels, strict=True)), value)
    return metric


class Exporter:
    """Serves ``/metrics`` in a thread until it is closed.

    Args:
        host: address to listen on.
        port: 0 for any free one; `port` tells which.
        directory: where the processes write.
        check: refuses requests by raising; None: everybody may read.
        tls: None: in the clear.
        devices: of this node; None: those that the driver tells of.

    Raises:
        OSError: the port is taken.
    """

    def __init__(
        self,
        host: str,
        port: int,
        directory: Path,
        check: Check | None = None,
        tls: SSLContext | None = None,
        devices: Devices | None = None,
    ) -> None:
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Node(directory, devices or Devices(driver_library())))
        self._server = ScrapeServer(host, port, registry, check, tls)
        self.port = self._server.port

    def close(self) -> None:
        """Free the port."""
        self._server.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
