"""Which of the processes that count are still there, so that the gauges of dead ones are not told."""

from __future__ import annotations

import os
from pathlib import Path

SLACK_S = 2.0  # between the clock of files and that of processes


def forget_dead(directory: Path) -> int:
    """Remove the live gauges of processes that are gone.

    Args:
        directory: where the processes write.

    Returns:
        How many processes that write there are alive.
    """
    written: dict[int, float] = {}
    for file in directory.glob("*.db"):
        pid = int(file.stem.rpartition("_")[2])
        written[pid] = max(written.get(pid, 0.0), _written(file))
    alive = {pid for pid, last in written.items() if _alive(pid, last)}
    for pid in written.keys() - alive:
        _forget(directory, pid)
    return len(alive)


def count_into(directory: Path) -> dict[str, str]:
    """Let this process count into a directory.

    Gauges that a dead process of the same number left behind are removed: else this one would go on with them.

    Returns:
        Variables to be set before `prometheus_client` is imported.
    """
    directory.mkdir(parents=True, exist_ok=True)
    _forget(directory, os.getpid())
    return {"PROMETHEUS_MULTIPROC_DIR": str(directory)}


def _forget(directory: Path, pid: int) -> None:
    for file in directory.glob(f"gauge_live*_{pid}.db"):
        file.unlink(missing_ok=True)


def _written(file: Path) -> float:
    try:
        return file.stat().st_mtime
    except FileNotFoundError:  # removed meanwhile by another exporter
        return 0.0


def _alive(pid: int, last_written: float) -> bool:
    """Whether a process lives, and is the one that wrote: numbers of processes are used again."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # another user's, but there
    return _began(pid) <= last_written + SLACK_S


def _began(pid: int) -> float:
    """When a process began, in seconds since 1970; 0 where the system does not tell."""
    try:
        ticks = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])  # proc_pid_stat(5): starttime
        lines = Path("/proc/stat").read_text().splitlines()
    except (OSError, IndexError, ValueError):
        return 0.0
    booted = next((int(line.split()[1]) for line in lines if line.startswith("btime ")), 0)
    return booted + ticks / os.sysconf("SC_CLK_TCK")
