"""The life of a server: it stops when asked, leaves nothing, and can be started again at once."""

from __future__ import annotations

import signal
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import psutil
import pytest

from brood_client import Client
from helpers.served import Served, eventually

pytestmark = pytest.mark.ray


def test_stop_leaves_nothing_and_restart_works_at_once(store: Path) -> None:
    before = _run_directories()
    first = Served("--models", str(store), "--model", "once")
    started = first.processes()
    code, out, error = first.stop(signal.SIGTERM)
    assert (code, out) == (0, "stopping\nstopped\n")
    assert "Traceback" not in error
    assert [process for process in started if _runs(process)] == []
    assert _run_directories() == before

    second = Served("--models", str(store), "--model", "once", *first.ports)
    assert (second.http_port, second.grpc_port) == (first.http_port, first.grpc_port)
    assert httpx2.get(f"http://127.0.0.1:{second.http_port}/readyz").status_code == 200
    started = second.processes()
    code, out, _ = second.stop(signal.SIGINT, group=True)
    assert (code, out) == (0, "stopping\nstopped\n")
    assert [process for process in started if _runs(process)] == []


def test_a_split_server_ends_when_its_requests_have(store: Path) -> None:
    before = _run_directories()
    served = Served("--models", str(store), "--model", "steps", "--topology", "split", "--threads", "1")
    started = served.processes()
    assert all(any(name in " ".join(process.cmdline()) for process in started) for name in ("ingress", "generator"))
    url = f"http://127.0.0.1:{served.http_port}"
    with ThreadPoolExecutor(1) as other, Client(url, retries=0) as client:
        with client.stream("steps", n=64, seed=1, params={"steps": 2000}) as stream:
            assert next(iter(stream)) is not None
            stopping = other.submit(served.stop, signal.SIGTERM)
            eventually(lambda: _refused(url), within_s=10)
            assert len(stream.result().samples) == 64
        code, out, error = stopping.result()
    assert (code, out) == (0, "stopping\nstopped\n")
    assert "Traceback" not in error
    assert [process for process in started if _runs(process)] == []
    assert _run_directories() == before


def _refused(url: str) -> bool:
    """Whether a server takes no more requests, or listens no more."""
    try:
        return httpx2.get(f"{url}/readyz").status_code == 503
    except httpx2.ConnectError:
        return True


def _run_directories() -> set[Path]:
    return set(Path(tempfile.gettempdir()).glob("brood-*"))


def _runs(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
