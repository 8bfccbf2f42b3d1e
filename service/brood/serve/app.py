"""The Ray Serve application: settings become deployments here and nowhere else."""

from __future__ import annotations

from ray import serve
from ray.serve import Application

from brood.serve.ingress import Ingress
from brood.settings import Settings

# A dead replica is noticed within a period; a hung one after three time-outs.
HEALTH_PERIOD_S = 1.0
HEALTH_TIMEOUT_S = 3.0


def build(settings: Settings) -> Application:
    """Everything on one machine: one replica that holds the frontends and the engine.

    ``serve run brood.serve.app:build`` takes the fields of the settings as ``key=value``.
    """
    deployment = serve.deployment(
        Ingress,
        name="ingress",
        num_replicas=1,
        # Only the supervisor's questions pass through Serve: requests arrive on the replica's own ports.
        max_ongoing_requests=16,
        health_check_period_s=HEALTH_PERIOD_S,
        health_check_timeout_s=HEALTH_TIMEOUT_S,
        graceful_shutdown_wait_loop_s=0.1,
        graceful_shutdown_timeout_s=settings.shutdown_grace_s + 5.0,
        # Placement on one machine needs no arithmetic; the graphs' threads are a setting of their own.
        ray_actor_options={"num_cpus": 0},
    )
    return deployment.bind(settings)
