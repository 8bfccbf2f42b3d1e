"""Between Ray Serve's autoscaler and ours: what workers report, how it gets to the policy, what Serve is told.

Serve calls the policy in its controller, about ten times a second, with the numbers that replicas' method
``record_autoscaling_stats`` has given. Requests do not pass through Serve, so it sees none; only an ingress that holds
requests while there is no worker calls the deployment through a handle, and that call waits in Serve: it is what wakes
a deployment from zero.

Serve's own delays and factors are off. Its smoothing is left out, too: the policy looks at the newest number of each
replica, for a mean over the last half minute tells of a crowd when half a minute of it is gone.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from ray.serve.config import AutoscalingConfig, AutoscalingContext, AutoscalingPolicy

from brood.generators import Autoscaling
from brood.serve.desired import ScalingConfig, ScalingState, ScalingStats, WorkerLoad, desired

BACKLOG, LOAD, IDLE = "brood_backlog_s", "brood_load", "brood_idle_s"
STATE = "brood"  # where Serve keeps our state between two calls
STALE_S = 30.0  # a number that is older says nothing
# Between two reports of a replica. Serve calls the field deprecated, in favour of an environment variable that Serve
# 2.60 reads and does not use: with it alone, a crowd is met ten seconds later.
REPORT_S = 2.0
LOOK_BACK_S = 5 * REPORT_S  # Serve asks a replica for its numbers every fifth part of this


def stats(load: WorkerLoad) -> dict[str, float]:
    """What a worker's ``record_autoscaling_stats`` gives."""
    return {BACKLOG: load.backlog_s, LOAD: load.load, IDLE: load.idle_s}


def policy_config(autoscaling: Autoscaling) -> AutoscalingConfig:
    """A generator's autoscaling, as Serve takes it."""
    words = autoscaling.model_dump(exclude={"min", "max"})
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*metrics_interval_s.*", DeprecationWarning)
        return AutoscalingConfig(
            min_replicas=autoscaling.min,
            max_replicas=autoscaling.max,
            metrics_interval_s=REPORT_S,
            look_back_period_s=LOOK_BACK_S,
            upscale_delay_s=0.0,
            downscale_delay_s=0.0,
            downscale_to_zero_delay_s=0.0,
            policy=AutoscalingPolicy(policy_function="brood.serve.scaling:BacklogPolicy", policy_kwargs=words),
        )


class BacklogPolicy:
    """`brood.serve.desired` as a policy of Serve, which makes one for each deployment and configuration.

    Args:
        config: the fields of `ScalingConfig` but ``min`` and ``max``, which Serve knows and may change.
    """

    def __init__(self, **config: float) -> None:
        self._config = config

    def __call__(self, context: AutoscalingContext) -> tuple[int, dict[str, Any]]:
        """The number of replicas, and what to hand over at the next call."""
        config = ScalingConfig(
            min=context.capacity_adjusted_min_replicas,
            max=context.capacity_adjusted_max_replicas,
            **self._config,
        )
        state = ScalingState(**context.policy_state.get(STATE, {}))
        wanted, left = desired(stats_of(context), state, config, context.current_time or 0.0)
        return wanted, {STATE: asdict(left)}


def stats_of(context: AutoscalingContext) -> ScalingStats:
    """What Serve has been told of the replicas that run."""
    now = context.current_time or 0.0
    raw = context.raw_metrics or {}
    found = [_load(raw, replica, now) for replica in context.running_replicas]
    workers = [load for load in found if load is not None]
    return ScalingStats(
        target=context.target_num_replicas,
        workers=workers,
        silent=len(found) - len(workers),
        held=(context.total_queued_requests or 0.0) > 0,
    )


def _load(raw: Mapping[str, Mapping[Any, Any]], replica: Any, now: float) -> WorkerLoad | None:
    """The newest report of a replica; None if there is none, or only an old one."""
    series = [raw.get(name, {}).get(replica) for name in (BACKLOG, LOAD, IDLE)]
    newest = [points[-1] for points in series if points]
    if len(newest) < len(series) or now - newest[0].timestamp > STALE_S:
        return None
    return WorkerLoad(*(point.value for point in newest))
