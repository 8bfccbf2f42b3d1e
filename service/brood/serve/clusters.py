"""Where Ray comes from: started for this server alone, or a cluster that is there already."""

from __future__ import annotations

import contextlib
import logging
from pathlib import Path
from typing import Protocol

import ray
from ray import serve
from ray.actor import ActorHandle
from ray.exceptions import ActorAlreadyExistsError, RayError
from ray.serve.config import ProxyLocation
from ray.serve.context import _get_global_client
from ray.serve.handle import DeploymentHandle
from ray.serve.schema import APIType, ApplicationStatus

from brood.serve.app import DIRECTORY, NAME, application
from brood.serve.errors import StartFailed
from brood.serve.troubles import last_line
from brood.settings import Settings

# Ray's inner parts at the size that one machine needs.
RAY_OPTIONS = {
    "address": "local",
    "include_dashboard": False,
    "object_store_memory": 75 * 2**20,  # Ray's least; samples do not pass through it
    "num_cpus": 2,  # processes that Ray starts ahead: they become the controller and the replica
    "log_to_driver": False,  # the replica's log comes through a pipe of our own
}
BROKEN = ("DEPLOY_FAILED", "UNHEALTHY")  # states of deployments
SEAT = "brood-serve"  # of the one `brood serve` that a cluster has
GOODBYE_S = 2.0  # beyond the grace, for what Ray itself needs


class Cluster(Protocol):
    """Methods block, and are called on one thread."""

    def join(self) -> None:
        """Have Ray and Serve."""
        ...

    def check(self) -> None:
        """Look whether the application that was started is still there.

        Raises:
            StartFailed: somebody else has replaced it, or ended it.
        """
        ...

    def leave(self) -> None:
        """End the application, and what else was started for it."""
        ...


class Own:
    """Ray on this machine, for this server alone.

    Args:
        settings: of the server.
        directory: for Ray's files.
    """

    def __init__(self, settings: Settings, directory: Path) -> None:
        self._settings, self._directory = settings, directory

    def join(self) -> None:
        """See `Cluster.join`."""
        ray.init(_temp_dir=str(self._directory), logging_level=logging.ERROR, **RAY_OPTIONS)
        _start_serve()

    def check(self) -> None:
        """See `Cluster.check`. Nobody else has this cluster."""

    def leave(self) -> None:
        """See `Cluster.leave`. Serve before Ray: only Serve lets the replicas end their requests."""
        if ray.is_initialized():
            drain(self._settings)
            serve.shutdown()
        ray.shutdown()


class Joined:
    """A cluster that others have started, and that goes on without this server."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._ours = False
        self._seat: ActorHandle | None = None

    def join(self) -> None:
        """See `Cluster.join`.

        Raises:
            StartFailed: such a server runs there already.
        """
        ray.init(address=self._settings.address, logging_level=logging.ERROR)
        self._seat = _sit()
        _start_serve()
        if NAME in serve.status().applications:
            raise StartFailed(
                f"the application {NAME!r} runs on this cluster already; change it with `brood config render` and "
                f"`serve deploy`, or end it with `serve delete {NAME}`"
            )
        self._ours = True

    def check(self) -> None:
        """See `Cluster.check`."""
        try:
            found = _get_global_client().get_serve_details()["applications"].get(NAME)
        except RayError:  # Serve's controller is being replaced
            return
        if found is None:
            self._ours = False
            raise StartFailed(f"somebody has ended the application {NAME!r} on this cluster")
        if found["source"] != APIType.IMPERATIVE:
            self._ours = False
            raise StartFailed(
                f"`serve deploy` has replaced the application {NAME!r} on this cluster, and what it deployed stays"
            )

    def leave(self) -> None:
        """See `Cluster.leave`. What others have deployed stays."""
        if self._ours:
            with contextlib.suppress(StartFailed):
                self.check()
        if self._ours:
            drain(self._settings)
            serve.delete(NAME)
        ray.shutdown()


class Seat:
    """An actor without work. Ray lets one have a name, and ends it with the process that made it, however that ends."""


def _sit() -> ActorHandle:
    """Be the only one: between a look for the application and its start, another might come."""
    try:
        return ray.remote(Seat).options(name=SEAT, namespace=NAME, num_cpus=0).remote()
    except ActorAlreadyExistsError as error:
        raise StartFailed("another `brood serve` runs on this cluster already; end that one first") from error


def cluster_of(settings: Settings, directory: Path) -> Cluster:
    """Where this server is to run."""
    return Own(settings, directory) if settings.address is None else Joined(settings)


def deploy(settings: Settings) -> DeploymentHandle:
    """Have Serve start the application; returns before it has. The handle is of the replicas with ports."""
    app = application(settings, alone=settings.address is None)
    target = serve.RunTarget(app, name=NAME, route_prefix=None)
    return serve.run_many([target], wait_for_applications_running=False)[0]


def check_deployed() -> None:
    """Look whether Serve is still about it.

    Raises:
        StartFailed: it has given up.
    """
    found = serve.status().applications.get(NAME)
    if found is not None and found.status == ApplicationStatus.DEPLOY_FAILED:
        broken = [each for each in found.deployments.values() if each.status in BROKEN]
        reasons = [last_line(each.message) for each in broken if each.message]
        raise StartFailed(f"the server did not start: {'; '.join(reasons) or last_line(found.message)}")


def drain(settings: Settings) -> None:
    """Let requests end while their workers are still there: Serve would end all deployments at once."""
    if settings.topology == "split" and NAME in serve.status().applications:
        with contextlib.suppress(Exception):  # a directory that does not answer must not hold up the end
            handle = serve.get_deployment_handle(DIRECTORY, NAME)
            grace_s = settings.shutdown_grace_s
            handle.drain.remote(grace_s).result(timeout_s=grace_s + GOODBYE_S)


def _start_serve() -> None:
    serve.start(proxy_location=ProxyLocation.Disabled, logging_config={"log_level": "ERROR"})
