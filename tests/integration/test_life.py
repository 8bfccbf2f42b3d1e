"""The life of a server: it stops when asked, leaves nothing, and can be started again at once."""

from __future__ import annotations

import signal
import tempfile
from pathlib import Path

import httpx
import psutil
import pytest

from helpers.served import Served

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
    assert httpx.get(f"http://127.0.0.1:{second.http_port}/readyz").status_code == 200
    started = second.processes()
    code, out, _ = second.stop(signal.SIGINT, group=True)
    assert (code, out) == (0, "stopping\nstopped\n")
    assert [process for process in started if _runs(process)] == []


def _run_directories() -> set[Path]:
    return set(Path(tempfile.gettempdir()).glob("brood-*"))


def _runs(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
