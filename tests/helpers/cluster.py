"""A real Ray cluster of several nodes on this machine: each node has an address of its own on the loopback device."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil

from brood.serve.variables import IN_CONTROLLER, ON_NODES
from helpers.served import eventually, free_port

BIN = Path(sys.executable).parent
START_S = 60.0
NODE_OPTIONS = (
    "--block",
    "--num-cpus=2",
    "--object-store-memory=78643200",
    "--min-worker-port=0",
    "--max-worker-port=0",
    "--include-log-monitor=false",
    "--disable-usage-stats",
    "--log-color=false",
)


class Node:
    """One node: ``ray start --block`` in a session of its own."""

    def __init__(self, address: str, arguments: list[str], env: dict[str, str], log: Path) -> None:
        self.address = address
        with log.open("ab") as out:
            self._process = subprocess.Popen(
                [str(BIN / "ray"), "start", f"--node-ip-address={address}", *NODE_OPTIONS, *arguments],
                stdout=out,
                stderr=out,
                env=env,
                start_new_session=True,
            )

    def processes(self, word: str = "") -> list[psutil.Process]:
        """What runs on it and has a word in its command line."""
        found = []
        for process in psutil.Process(self._process.pid).children(recursive=True):
            try:
                if word in " ".join(process.cmdline()):
                    found.append(process)
            except psutil.NoSuchProcess:
                continue
        return found

    def kill(self) -> None:
        """All of it, at once, as when the power fails."""
        everything = [psutil.Process(self._process.pid), *self.processes()]
        for process in everything:
            process.suspend()  # none has time to notice that others are gone
        for process in everything:
            process.kill()
        psutil.wait_procs(everything, timeout=10)
        self._process.wait()

    def end(self) -> None:
        """If it still runs."""
        if self._process.poll() is None:
            self.kill()


class Cluster:
    """Nodes, and one process that says to Serve what ``serve deploy`` would say."""

    def __init__(self, *addresses: str) -> None:
        self._directory = Path(tempfile.mkdtemp(prefix="nodes-"))
        self.log = self._directory / "log"
        self.env = {name: value for name, value in os.environ.items() if not name.startswith(("BROOD_", "PROMETHEUS_"))}
        self.env |= {
            **ON_NODES,
            **IN_CONTROLLER,
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": secrets.token_hex(32),
            "PYTHONPATH": str(Path(__file__).parents[1]),
        }
        if "BROOD_CACHE_DIR" in os.environ:
            self.env["BROOD_CACHE_DIR"] = os.environ["BROOD_CACHE_DIR"]
        self.nodes: list[Node] = []
        self._operator: subprocess.Popen[str] | None = None
        head = addresses[0]
        self.address = f"{head}:{free_port(head)}"
        try:
            self._start(
                head,
                "--head",
                f"--port={self.address.rpartition(':')[2]}",
                "--include-dashboard=false",
                f"--temp-dir={self._directory / 'ray'}",
                "--dashboard-agent-listen-port=0",
            )
            for address in addresses[1:]:
                self.add(address)
            with self.log.open("ab") as errors:
                self._operator = subprocess.Popen(
                    [sys.executable, "-m", "helpers.operator", self.address, head],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    env=self.env,
                    text=True,
                )
            self.ask("start")
        except BaseException:
            self.end()
            raise

    def add(self, address: str, *arguments: str) -> Node:
        """One more node; ``arguments`` are more of ``ray start``."""
        return self._start(address, f"--address={self.address}", "--dashboard-agent-listen-port=0", *arguments)

    def _start(self, address: str, *arguments: str) -> Node:
        node = Node(address, list(arguments), self.env, self.log)
        self.nodes.append(node)
        eventually(lambda: "Ray runtime started" in self.log.read_text() if len(self.nodes) == 1 else True, START_S)
        return node

    def ask(self, verb: str, *words: str) -> Any:
        """See `helpers.operator`."""
        operator = self._operator
        assert operator is not None
        assert operator.stdin is not None
        assert operator.stdout is not None
        operator.stdin.write(json.dumps([verb, *words]) + "\n")
        operator.stdin.flush()
        answer = operator.stdout.readline()
        assert answer, self.log.read_text()[-4000:]
        return json.loads(answer)

    def replicas(self, deployment: str) -> list[psutil.Process]:
        """Processes of a deployment, on all nodes."""
        return [
            found for node in self.nodes for found in node.processes(f"ServeReplica:brood:{deployment}") if alive(found)
        ]

    def end(self) -> None:
        """Everything, and all files."""
        if self._operator is not None:
            self._operator.kill()
            self._operator.communicate()
        for node in reversed(self.nodes):
            node.end()
        shutil.rmtree(self._directory, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()


def alive(process: psutil.Process) -> bool:
    """Whether it runs and is no zombie."""
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
