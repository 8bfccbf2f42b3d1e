"""A server in processes of its own, and what they use."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import psutil

from bench.peers.environments import ENVIRONMENTS, HERE, KEPT

STOP_S = 40.0
Kind = Literal[
    "mosec",
    "mosec-keyed",
    "mosec-two",
    "triton",
    "triton-keyed",
    "litserve",
    "bentoml",
    "mlserver",
    "ray",
    "brood",
    "brood-split",
    "brood-two",
]
KINDS: tuple[Kind, ...] = get_args(Kind)
STORE = KEPT / "store"


@dataclass(frozen=True)
class Setting:
    """What all servers have in common."""

    name: str  # of the log files
    routes: tuple[tuple[str, Path], ...]  # of the servers of others: name and file
    keyed: tuple[tuple[str, Path], ...]  # the same, where kinds of requests are kept apart
    models: tuple[str, ...]  # of brood
    threads: int  # of ONNX Runtime, within one call
    rows: int  # most of one call
    requests: int  # most of one batch, where a server counts requests


class Server:
    """Starts at once; whoever uses it finds out when it answers."""

    def __init__(self, kind: Kind, setting: Setting) -> None:
        self.kind, self.setting = kind, setting
        self.port, self.grpc_port = free_ports(2)
        self._ending: list[psutil.Process] = []
        log = KEPT / "logs" / f"{kind}-{setting.name.replace(' ', '-')}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                self._command(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=_variables(kind),
            )

    @property
    def runs(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def processes(self) -> list[psutil.Process]:
        """All of them; none if it has ended."""
        if not self.runs:
            return []
        own = psutil.Process(self._process.pid)
        return [own, *own.children(recursive=True)]

    def cpu_s(self) -> float:
        """Processor seconds of all that run."""
        total = 0.0
        for process in self.processes():
            with suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                total += times.user + times.system
        return total

    def pss_mb(self) -> float:
        """Memory of all: what they share is divided among them (proc(5), smaps)."""
        total = 0.0
        for process in self.processes():
            with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                total += process.memory_full_info().pss / 1e6
        return total

    def halt(self) -> None:
        """It computes nothing until `go_on`."""
        for process in self.processes():
            with suppress(psutil.NoSuchProcess):
                process.suspend()

    def go_on(self) -> None:
        """After `halt`."""
        for process in self.processes():
            with suppress(psutil.NoSuchProcess):
                process.resume()

    def ask_to_end(self) -> None:
        """Say that it shall; once is enough."""
        if not self._ending:
            self.go_on()
            self._ending = self.processes()
            with suppress(ProcessLookupError):
                os.kill(self._process.pid, signal.SIGTERM)

    def end(self) -> None:
        """Stop it, by force where it does not."""
        self.ask_to_end()
        left = [*self._ending, *self.processes()]
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_S)
        for process in left:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self._process.wait()

    def _command(self) -> Sequence[str]:
        setting, two = self.setting, self.kind.endswith("-two")
        # Two calls at once, each with half of the threads, instead of one call with all.
        threads = setting.threads // 2 if two else setting.threads
        if self.kind.startswith("brood"):
            words: list[object] = ["serve", "--models", STORE, "--threads", threads, "--metrics-port", 0]
            words += [word for model in setting.models for word in ("--model", model)]
            words += ["--topology", "split"] if self.kind == "brood-split" else []
            words += ["--lanes", 2] if two else []
            ports = ["--http-port", self.port, "--grpc-port", self.grpc_port]
            return [str(each) for each in (Path(sys.executable).with_name("brood"), *words, *ports)]
        peer, keyed = self.kind.split("-")[0], self.kind.endswith("-keyed")
        words = [f"--route={name}={file}" for name, file in (setting.keyed if keyed else setting.routes)]
        words += ["--port", self.port, "--grpc-port", self.grpc_port]
        words += ["--workers", 2] if two else []
        words += ["--threads", threads, "--rows", setting.rows, "--requests", setting.requests]
        words += ["--lock", KEPT / "logs" / f"{peer}.lock"] if keyed else []
        return [str(each) for each in (ENVIRONMENTS[peer].python, HERE / "servers" / f"{peer}_server.py", *words)]


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on, all different."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(each.getsockname()[1]) for each in sockets]
    for each in sockets:
        each.close()
    return ports


def _variables(kind: Kind) -> dict[str, str]:
    """As a user has it; nothing of this environment's Python reaches another one's."""
    left_out = ("VIRTUAL_ENV",) if kind.startswith("brood") else ("PYTHONPATH", "VIRTUAL_ENV")
    return {name: value for name, value in os.environ.items() if name not in left_out}
