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

import ray
from ray import serve
from ray.exceptions import RayError
from ray.serve.config import ProxyLocation
from ray.serve.handle import DeploymentHandle

from brood.serve.app import build
from brood.serve.banner import Banner
from brood.serve.colocated import NodeStatus
from brood.serve.errors import StartFailed
from brood.serve.logpipe import LogPipe
from brood.serve.signals import StopWish
from brood.settings import Settings

T = TypeVar("T")
POLL_S = 0.1
# Ray's inner parts at the size that one machine needs.
RAY_OPTIONS = {
    "address": "local",
    "include_dashboard": False,
    "object_store_memory": 75 * 2**20,  # Ray's least; samples do not pass through it
    "num_cpus": 2,  # processes that Ray starts ahead: they become the controller and the replica
    "log_to_driver": False,  # the replica's log comes through a pipe of our own
    "logging_level": logging.ERROR,
}


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
        self._settings = settings if settings.log_file else settings.model_copy(update={"log_file": self._log.path})
        self._ray_directory = directory / "ray"
        self._wish = wish
        self._banner = Banner(settings, sys.stdout)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="brood-ray")

    def run(self) -> None:
        """Serve until somebody wishes to stop.

        Raises:
            StartFailed: Ray or the application could not be started.
        """
        # What Ray prints on standard output is for operators, like a log.
        with contextlib.redirect_stdout(sys.stderr):
            self._banner.starting()
            try:
                self._serve()
            except Stop:
                self._banner.stopping()
            except (RayError, RuntimeError) as error:
                raise StartFailed(f"the server did not start: {_last_line(error)}") from error
            finally:
                self._end()
            self._banner.stopped()

    def _serve(self) -> None:
        began = time.monotonic()
        handle = self._wait(self._thread.submit(self._start))
        node = self._wait_until_loaded(handle)
        self._banner.ready(node, time.monotonic() - began)
        while True:
            self._breathe()

    def _start(self) -> DeploymentHandle:
        for name in ("ray", "ray.serve"):
            logging.getLogger(name).setLevel(logging.ERROR)
        ray.init(_temp_dir=str(self._ray_directory), **RAY_OPTIONS)
        self._check_wish()
        serve.start(proxy_location=ProxyLocation.Disabled, logging_config={"log_level": "ERROR"})
        self._check_wish()
        return serve.run(build(self._settings), name="brood", route_prefix=None)

    def _wait_until_loaded(self, handle: DeploymentHandle) -> NodeStatus:
        told: set[tuple[str, int]] = set()
        while True:
            node: NodeStatus = self._wait(self._thread.submit(lambda: handle.status.remote().result()))
            for model in node.models:
                if model.state != "loading" and (model.name, model.version) not in told:
                    told.add((model.name, model.version))
                    self._banner.model(model)
            if node.loaded:
                return node
            self._breathe()

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

    def _check_wish(self) -> None:
        if self._wish.heard:
            raise Stop

    def _end(self) -> None:
        """Waits for what the thread is about, then ends everything. Ray's farewells are nobody's business."""
        with contextlib.redirect_stdout(io.StringIO()):
            self._thread.submit(_shut_down).result()
        self._thread.shutdown()
        self._log.close()


def _shut_down() -> None:
    """Serve before Ray: only Serve lets the replica end its requests."""
    if ray.is_initialized():
        serve.shutdown()
    ray.shutdown()


def _last_line(error: Exception) -> str:
    return str(error).strip().rpartition("\n")[2]
