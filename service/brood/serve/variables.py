"""What Ray takes from the environment only. Read when Ray is imported, on every node."""

from __future__ import annotations

import secrets
from collections.abc import Mapping

# What own replicas need, wherever Ray comes from.
IN_REPLICAS: Mapping[str, str] = {
    # One event loop in the replica: gRPC wakes all there are for each event of any (docs/ray.md has the figures).
    "RAY_SERVE_RUN_USER_CODE_IN_SEPARATE_THREAD": "0",
}
# What Serve's controller needs; on a cluster of others, those who start it set it.
IN_CONTROLLER: Mapping[str, str] = {
    # A replica that hangs holds the ports that the next one needs.
    "RAY_SERVE_FORCE_STOP_UNHEALTHY_REPLICAS": "1",
}
# What the nodes of a cluster need when they are started.
ON_NODES: Mapping[str, str] = {
    "RAY_USAGE_STATS_ENABLED": "0",
    # Ray runs its workers at niceness 15: whatever else runs on the machine would come before the server.
    "RAY_worker_niceness": "0",
    # Ray would end its own processes when memory is nearly full, whoever has it; the kernel ends the largest.
    "RAY_memory_monitor_refresh_ms": "0",
}


def ray_variables() -> dict[str, str]:
    """All of them, for Ray on this machine alone."""
    # A token of this run: else Ray keeps one in the home directory, which it may not be allowed to write.
    return {**ON_NODES, **IN_CONTROLLER, **IN_REPLICAS, "RAY_AUTH_TOKEN": secrets.token_hex(32)}
