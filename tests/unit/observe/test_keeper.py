"""Somebody has the port of the metrics, whoever dies."""

from __future__ import annotations

import errno
import logging
import os
import subprocess
import sys
from pathlib import Path
from threading import Event
from urllib.request import urlopen

import pytest

from brood.observe.exporter import Exporter
from brood.observe.keeper import Keeper
from helpers.served import eventually

KEEPING = """
import sys
from pathlib import Path
from brood.observe.exporter import Exporter
from brood.observe.keeper import Keeper
keeper = Keeper(lambda: Exporter("127.0.0.1", int(sys.argv[1]), Path(sys.argv[2])), look_s=0.01)
sys.stdin.read()
"""


def answers(port: int) -> bool:
    try:
        with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def test_another_process_takes_over_when_the_first_is_killed(tmp_path: Path) -> None:
    with Exporter("127.0.0.1", 0, tmp_path) as first:
        port = first.port
    command = [sys.executable, "-c", KEEPING, str(port), str(tmp_path)]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, env=dict(os.environ))
    made: list[Exporter] = []

    def make() -> Exporter:
        made.append(Exporter("127.0.0.1", port, tmp_path))
        return made[-1]

    try:
        assert eventually(lambda: answers(port), 20)
        keeper = Keeper(make, look_s=0.01)
        assert made == []
        child.kill()
        assert eventually(lambda: bool(made) and answers(port), 20)
        keeper.close()
    finally:
        child.kill()
        child.communicate()
    assert not answers(port)


def test_what_hinders_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    tried, often = [0], Event()

    def make() -> Exporter:
        tried[0] += 1
        if tried[0] == 3:
            often.set()
        raise OSError(errno.EACCES, "not allowed")

    with caplog.at_level(logging.INFO, logger="brood"):
        keeper = Keeper(make, look_s=0.001)
        assert often.wait(5)
        keeper.close()
    assert [record.getMessage() for record in caplog.records] == ["the metrics cannot be told: [Errno 13] not allowed"]
