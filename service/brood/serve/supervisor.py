"""Starts Ray and the application in it, tells when the models are ready, and stops both without a trace."""

from __future__ import annotations

import contextlib
import io
import logging
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from ray.exceptions import RayError
from ray.serve.handle import DeploymentHandle

from brood.serve.app import NAME
from brood.serve.banner import Banner
from brood.serve.clusters import check_deployed, cluster_of, deploy
from brood.serve.errors import StartFailed
from brood.serve.front import NodeStatus
from brood.serve.logpipe import LogPipe
from brood.serve.signals import StopWish
from brood.serve.troubles import complaints, last_line
from brood.settings import Settings

T = TypeVar("T")
POLL_S = 0.1
CHECK_S = 2.0  # between two looks whether the application is still ours
ANSWER_S = 2.0  # for a replica to say how far it is; until it listens it says nothing


class Stop(Exception):
    """Somebody asked the server to stop."""


class Supervisor:
    """One run of a server.

    Ray is called on one thread of its own, which lives as long as this object works. On the main thread Ray would take
    the signals for itself and leave processes behind when one comes early; and its processes end with the thread that
    started them.

    Args:
        settings: of the server, with ports.
        directory: of this run, for Ray's files and the log pipe.
        wish: listening already.
    """

    def __init__(self, settings: Settings, directory: Path, wish: StopWish) -> None:
        self._log = LogPipe(directory / "log", sys.stderr)
        # On a cluster, processes of other machines cannot reach the pipe: Ray passes on what they say.
        piped = settings.log_file is None and settings.address is None
        self._settings = settings.model_copy(update={"log_file": self._log.path}) if piped else settings
        self._cluster = cluster_of(settings, directory / "ray")
        self._wish = wish
        self._banner = Banner(settings, sys.stdout)
        self._complaints: set[tuple[str, str]] = set()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="brood-ray")

    def run(self) -> None:
        """Serve until somebody wishes to stop.

        Raises:
            StartFailed: Ray or the application could not be started, or others have replaced it.
        """
        # What Ray prints on standard output is for operators, like a log.
        with contextlib.redirect_stdout(sys.stderr):
            self._banner.starting()
            try:
                self._serve()
            except Stop:
                self._banner.stopping()
            except (RayError, RuntimeError) as error:
                raise StartFailed(f"the server did not start: {last_line(str(error))}") from error
            finally:
                self._end()
            self._banner.stopped()

    def _serve(self) -> None:
        began = time.monotonic()
        handle = self._wait(self._thread.submit(self._start))
        node = self._wait_until_loaded(handle)
        self._banner.ready(node, time.monotonic() - began)
        while True:
            self._wait(self._thread.submit(self._cluster.check))
            self._rest(CHECK_S)

    def _start(self) -> DeploymentHandle:
        for name in ("ray", "ray.serve"):
            logging.getLogger(name).setLevel(logging.ERROR)
        self._cluster.join()
        self._check_wish()
        return deploy(self._settings)

    def _wait_until_loaded(self, handle: DeploymentHandle) -> NodeStatus:
        told: set[tuple[str, int]] = set()
        while True:
            node = self._wait(self._thread.submit(_ask, handle))
            if node is None:
                self._complain()
                self._breathe()
                continue
            for model in node.models:
                if model.state != "loading" and (model.name, model.version) not in told:
                    told.add((model.name, model.version))
                    self._banner.model(model)
            if node.loaded:
                return node
            self._breathe()

    def _complain(self) -> None:
        """Say what Serve waits for, each thing once: room for a replica with ports, say, which may never come."""
        for name, reason in self._wait(self._thread.submit(complaints, NAME)).items():
            if (name, reason) not in self._complaints:
                self._complaints.add((name, reason))
                print(f"{name}: {reason}", file=sys.stderr, flush=True)

    def _wait(self, future: Future[T]) -> T:
        while not future.done():
            self._breathe()
        return future.result()

    def _breathe(self) -> None:
        """A moment's rest, in which a wish to stop is heard and the replica's log is passed on."""
        self._log.pump()
        self._wish.listen()  # Ray has put a handler of its own there when it is up
        self._check_wish()
        time.sleep(POLL_S)

    def _rest(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self._breathe()

    def _check_wish(self) -> None:
        if self._wish.heard:
            raise Stop

    def _end(self) -> None:
        """Waits for what the thread is about, then ends everything. Ray's farewells are nobody's business."""
        with contextlib.redirect_stdout(io.StringIO()):
            self._thread.submit(self._cluster.leave).result()
        self._thread.shutdown()
        self._log.close()


def _ask(handle: DeploymentHandle) -> NodeStatus | None:
    """How far a replica with ports is; None: there is none yet.

    Raises:
        StartFailed: there will be none.
    """
    try:
        found: NodeStatus = handle.status.remote().result(timeout_s=ANSWER_S)
    except TimeoutError:
        check_deployed()
        return None
    return found
