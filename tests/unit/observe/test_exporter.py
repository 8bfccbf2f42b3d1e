"""The exporter adds up what several processes have counted, the dead ones included, but not their gauges."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from brood.observe.devices import DeviceLoad, Devices
from brood.observe.exporter import Exporter
from brood.protocol.errors import Unauthenticated

COUNTING = """
import sys
from brood.observe.metrics import Metrics
metrics = Metrics()
metrics.finished("vae", "generate", "http", "ok", 0.1, 2)
metrics.queued(5, 0.1)
metrics.write()
print("counted", flush=True)
sys.stdin.read()
"""


class Process:
    """Counts one request, has five samples queued, and lives until it is told to die."""

    def __init__(self, directory: Path) -> None:
        self._child = subprocess.Popen(
            [sys.executable, "-c", COUNTING],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(directory)},
        )
        assert self._child.stdout is not None
        assert self._child.stdout.readline() == b"counted\n"

    def die(self) -> None:
        self._child.kill()
        self._child.communicate()


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[list[Process]]:
    running = [Process(tmp_path), Process(tmp_path)]
    yield running
    for process in running:
        process.die()


def scrape(exporter: Exporter) -> dict[str, float]:
    with urlopen(f"http://127.0.0.1:{exporter.port}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if not line.startswith("#")}


REQUESTS = 'brood_requests_total{code="ok",model="vae",operation="generate",protocol="http"}'


def test_numbers_outlive_a_process_but_its_queue_does_not(tmp_path: Path, processes: list[Process]) -> None:
    with Exporter("127.0.0.1", 0, tmp_path) as exporter:
        both = scrape(exporter)
        processes[0].die()
        one = scrape(exporter)
    assert (both[REQUESTS], both["brood_queued_rows"], both["brood_processes"]) == (2, 10, 2)
    assert (one[REQUESTS], one["brood_queued_rows"], one["brood_processes"]) == (2, 5, 1)


def test_counts_are_told_under_the_names_of_triton_too(tmp_path: Path, processes: list[Process]) -> None:
    with Exporter("127.0.0.1", 0, tmp_path) as exporter:
        told = scrape(exporter)
    assert told['nv_inference_request_success{model="vae"}'] == 2
    assert told['nv_inference_request_duration_us{model="vae"}'] == pytest.approx(0.2e6)


class OneDevice(Devices):
    """A device without a driver."""

    def __init__(self) -> None:
        super().__init__(None)

    def loads(self) -> Iterator[DeviceLoad]:
        yield DeviceLoad("cuda:0", 3, 8, 0.25)


def test_devices_are_told_where_there_are_any(tmp_path: Path) -> None:
    with Exporter("127.0.0.1", 0, tmp_path, devices=OneDevice()) as exporter:
        told = scrape(exporter)
    assert told['brood_device_memory_used_bytes{device="cuda:0"}'] == 3
    assert told['brood_device_memory_bytes{device="cuda:0"}'] == 8
    assert told['brood_device_utilisation_ratio{device="cuda:0"}'] == 0.25


def test_a_closed_exporter_frees_its_port(tmp_path: Path) -> None:
    with Exporter("127.0.0.1", 0, tmp_path) as first, pytest.raises(OSError, match="in use"):
        Exporter("127.0.0.1", first.port, tmp_path)
    with Exporter("127.0.0.1", first.port, tmp_path) as second:
        assert scrape(second) == {"brood_processes": 0}


def test_who_does_not_pass_the_check_reads_nothing(tmp_path: Path) -> None:
    def check(host: str | None, authorization: str | None, api_key: str | None) -> None:
        raise Unauthenticated("a key is needed")

    with Exporter("127.0.0.1", 0, tmp_path, check) as exporter, pytest.raises(HTTPError, match="401"):
        scrape(exporter)
