"""The Ray Serve application: settings become deployments here and nowhere else."""

# No annotations as text here: Serve looks at the class of `build`'s argument to check what `serve deploy` is given.

from functools import partial
from typing import Any

from ray import serve
from ray.serve import Application, Deployment

from brood.generators import GeneratorSettings
from brood.serve.directory import Directory
from brood.serve.generator import Generator
from brood.serve.hosting import wanted_of
from brood.serve.ingress import Ingress
from brood.serve.scaling import policy_config
from brood.serve.troubles import troubles
from brood.serve.variables import IN_REPLICAS
from brood.settings import NODE, Settings

LOOPBACK = "127.0.0.1"
NAME = "brood"  # of the application
DIRECTORY, INGRESS = "directory", "ingress"  # deployments; a generator's is its name after "generator-"
# A dead replica is noticed within a period; a hung one after three time-outs.
HEALTH_PERIOD_S = 1.0
HEALTH_TIMEOUT_S = 3.0
BUSY_TIMEOUT_S = 10.0  # a worker that loads a model or computes on all cores answers late, and is well
AFTER_GRACE_S = 5.0


def build(args: Settings) -> Application:
    """The application for a cluster, from the settings as its arguments: ``import_path: brood.serve.app:build``."""
    return application(args, alone=False)


def application(settings: Settings, *, alone: bool) -> Application:
    """The application.

    Args:
        settings: of the server.
        alone: Ray was started for this application only, on this machine, with `launch.ray_variables`.
    """
    ingress = _ingress(settings, alone)
    life = {"patient": not alone, "shared": _hands_over(settings, alone)}
    if settings.topology == "colocated":
        return ingress.bind(settings, None, {}, **life)
    directory = _directory(alone).bind(wanted_of(settings), partial(troubles, NAME))
    host = LOOPBACK if alone else NODE  # of links between processes
    groups = {
        group.name: _generator(group, settings, alone).bind(settings, group, directory, host)
        for group in settings.groups
    }
    return ingress.bind(settings, directory, groups, **life)


def _hands_over(settings: Settings, alone: bool) -> bool:
    """Whether a new replica with ports may come beside the old one: of several, others serve meanwhile."""
    return settings.ingresses == 1 and not alone


def _ingress(settings: Settings, alone: bool) -> Deployment:
    """Replicas with ports: at most one a node, for two would want the same ports, unless one takes over."""
    place: dict[str, Any] = {"max_replicas_per_node": 1}
    if _hands_over(settings, alone):
        place = {"max_surge_percent": 100}
    gpus = 1.0 if settings.topology == "colocated" and settings.device != "cpu" else 0.0
    return serve.deployment(
        Ingress,
        name=INGRESS,
        num_replicas=settings.ingresses,
        # Only the supervisor's questions pass through Serve: requests arrive on the replica's own ports.
        max_ongoing_requests=16,
        health_check_period_s=HEALTH_PERIOD_S,
        health_check_timeout_s=HEALTH_TIMEOUT_S,
        graceful_shutdown_wait_loop_s=0.1,
        graceful_shutdown_timeout_s=settings.shutdown_grace_s + AFTER_GRACE_S,
        # Placement needs no arithmetic; the graphs' threads are a setting of their own.
        ray_actor_options=_actor({"num_cpus": 0, "num_gpus": gpus, "resources": settings.ingress_resources}, alone),
        **place,
    )


def _directory(alone: bool) -> Deployment:
    return serve.deployment(
        Directory,
        name=DIRECTORY,
        num_replicas=1,
        max_ongoing_requests=100_000,  # one of each worker and ingress, all the time
        logging_config={"enable_access_log": False},  # they ask every second
        health_check_period_s=HEALTH_PERIOD_S,
        health_check_timeout_s=HEALTH_TIMEOUT_S,
        graceful_shutdown_wait_loop_s=0.1,
        graceful_shutdown_timeout_s=AFTER_GRACE_S,
        ray_actor_options=_actor({"num_cpus": 0}, alone),
    )


def _generator(group: GeneratorSettings, settings: Settings, alone: bool) -> Deployment:
    """A group of workers."""
    scale: dict[str, Any] = {"num_replicas": group.replicas}
    if group.autoscaling is not None:
        scale = {"autoscaling_config": policy_config(group.autoscaling)}
    asked = {"num_cpus": group.num_cpus, "num_gpus": group.num_gpus, "resources": group.resources}
    return serve.deployment(
        Generator,
        name=f"generator-{group.name}",
        max_ongoing_requests=1000,
        health_check_period_s=HEALTH_PERIOD_S,
        health_check_timeout_s=BUSY_TIMEOUT_S,
        graceful_shutdown_wait_loop_s=0.1,
        graceful_shutdown_timeout_s=settings.shutdown_grace_s + AFTER_GRACE_S,
        max_surge_percent=group.surge,
        ray_actor_options=_actor(asked, alone),
        **scale,
    )


def _actor(options: dict[str, Any], alone: bool) -> dict[str, Any]:
    return options if alone else {**options, "runtime_env": {"env_vars": dict(IN_REPLICAS)}}
