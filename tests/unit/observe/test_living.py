"""Gauges of dead processes go, counts of theirs stay; a number used again is another process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from brood.observe.living import count_into, forget_dead


def write(directory: Path, *names: str) -> None:
    for name in names:
        (directory / name).write_bytes(b"")


def left(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()}


def test_the_dead_keep_their_counts_only(tmp_path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    own, dead = os.getpid(), child.pid
    write(tmp_path, f"counter_{own}.db", f"gauge_livesum_{own}.db", f"counter_{dead}.db", f"gauge_livesum_{dead}.db")
    assert forget_dead(tmp_path) == 1
    assert left(tmp_path) == {f"counter_{own}.db", f"gauge_livesum_{own}.db", f"counter_{dead}.db"}


def test_a_process_younger_than_its_files_is_not_the_one_that_wrote(tmp_path: Path) -> None:
    own = os.getpid()
    write(tmp_path, f"counter_{own}.db", f"gauge_livemax_{own}.db")
    for path in tmp_path.iterdir():
        os.utime(path, (1.0, 1.0))
    assert forget_dead(tmp_path) == 0
    assert left(tmp_path) == {f"counter_{own}.db"}


def test_a_process_does_not_go_on_with_the_gauges_of_another(tmp_path: Path) -> None:
    directory = tmp_path / "new"
    variables = count_into(directory)
    assert variables == {"PROMETHEUS_MULTIPROC_DIR": str(directory)}
    write(directory, f"gauge_livesum_{os.getpid()}.db", f"counter_{os.getpid()}.db", "gauge_livesum_1.db")
    count_into(directory)
    assert left(directory) == {f"counter_{os.getpid()}.db", "gauge_livesum_1.db"}


def test_looking_for_the_living_does_not_decide_where_numbers_live() -> None:
    code = "import sys, brood.observe.living; sys.exit('prometheus_client' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
