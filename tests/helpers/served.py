"""A real ``brood serve`` in processes of its own, and what a test wants to know of it."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import psutil

T = TypeVar("T")
START_S = 90.0
STOP_S = 45.0
POLL_S = 0.05


class Served:
    """One run of the command, from its start until it says that it is ready.

    Args:
        arguments: of ``brood serve``; without ports, free ones are taken.

    Attributes:
        http_port, grpc_port, metrics_port: where it listens.
        told: the lines of its standard output so far.
    """

    def __init__(self, *arguments: str) -> None:
        ports = ("--http-port", "0", "--grpc-port", "0", "--metrics-port", "0")
        self._process = subprocess.Popen(
            [str(Path(sys.executable).with_name("brood")), "serve", *ports, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,  # a process group of its own, as in a terminal
            env=_environment(),
        )
        self.told: list[str] = []
        try:
            self._read_until("curl")
        except BaseException:
            self.end()
            raise
        text = "\n".join(self.told)
        self.http_port, self.grpc_port, self.metrics_port = (
            int(_found(rf"{name} .*:(\d+)", text)) for name in ("HTTP", "gRPC", "metrics")
        )

    @property
    def ports(self) -> tuple[str, ...]:
        """Arguments that give another run the same ports."""
        found = {"--http-port": self.http_port, "--grpc-port": self.grpc_port, "--metrics-port": self.metrics_port}
        return tuple(word for name, port in found.items() for word in (name, str(port)))

    def processes(self) -> list[psutil.Process]:
        """The command's process and all that came from it."""
        own = psutil.Process(self._process.pid)
        return [own, *own.children(recursive=True)]

    def replica(self) -> psutil.Process:
        """The process that holds the engine."""
        return next(process for process in self.processes() if "ServeReplica" in " ".join(process.cmdline()))

    def stop(self, number: signal.Signals, *, group: bool = False) -> tuple[int, str, str]:
        """Send a signal, to the process or, as Ctrl-C does, to its group; exit code, standard output and error."""
        (os.killpg if group else os.kill)(self._process.pid, number)
        out, error = self._process.communicate(timeout=STOP_S)
        return self._process.returncode, out, error

    def end(self) -> str:
        """Stop it if it still runs; its standard error."""
        if self._process.poll() is None:
            return self.stop(signal.SIGTERM)[2]
        return ""

    def _read_until(self, word: str) -> None:
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        began = time.monotonic()
        for line in self._process.stdout:
            self.told.append(line.rstrip("\n"))
            if word in line:
                return
            assert time.monotonic() - began < START_S, self.told
        raise AssertionError(f"it ended: {self.told} {self._process.stderr.read()}")


def _environment() -> dict[str, str]:
    """As a user has it, but for the directory where the tests keep things."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("BROOD_", "PROMETHEUS_")) or name == "BROOD_CACHE_DIR"
    }


def _found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    assert match, text
    return match[1]


def free_port(host: str = "127.0.0.1") -> int:
    """A port that nobody listens on."""
    with socket.create_server((host, 0)) as server:
        return int(server.getsockname()[1])


def eventually(look: Callable[[], T], within_s: float) -> T:
    """The first true value that ``look`` gives; errors of the network count as not yet."""
    deadline = time.monotonic() + within_s
    while True:
        try:
            if value := look():
                return value
        except OSError:
            pass
        assert time.monotonic() < deadline, "it did not come to that in time"
        time.sleep(POLL_S)
