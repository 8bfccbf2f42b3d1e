"""How every replica begins: its log, its counts, the address it listens on."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import ray

from brood.observe.logs import set_up_logs
from brood.serve.claims import Claims
from brood.serve.counting import count_here
from brood.settings import NODE, Settings

if TYPE_CHECKING:
    from brood.observe.metrics import Metrics


def begin(settings: Settings, part: str, backlog_limit_s: float) -> tuple[Metrics, ExitStack]:
    """Set up this process; to be called before the metrics are imported.

    Args:
        settings: of the server.
        part: what this process is: "ingress" or "generator".
        backlog_limit_s: see `Metrics.started`.

    Returns:
        The metrics of this process, and who writes them and tells those of the node, to be closed at the end.
    """
    set_up_logs(settings.log_level, settings.log_format, settings.log_file)
    # Here and not around all of Ray, whose own processes would count into the same files.
    keeper = count_here(settings)
    from brood.observe.metrics import Metrics
    from brood.observe.tally import Writer

    metrics = Metrics()
    metrics.started(part, backlog_limit_s)
    counting = ExitStack()
    if keeper is not None:
        counting.callback(keeper.close)
    counting.callback(Writer(metrics.write).close)
    return metrics, counting


def here(settings: Settings) -> Settings:
    """The settings as they are on this node: with an address, and a directory for the counts of its processes."""
    host = ray.util.get_node_ip_address() if settings.host == NODE else settings.host
    return settings.model_copy(update={"host": host, "metrics_dir": settings.metrics_dir or _metrics_dir()})


def claims_of(app: str) -> Claims:
    """For the ports of an application's replica, beside other applications of this cluster and of others."""
    context = ray.get_runtime_context()
    return Claims(Path(context.get_temp_dir()), f"the application {app!r} of Ray's {context.get_session_name()}")


def _metrics_dir() -> Path:
    """Below Ray's own directory of its run. Nodes may share that, where several are one machine."""
    context = ray.get_runtime_context()
    return Path(context.get_temp_dir(), context.get_session_name(), f"brood-metrics-{context.get_node_id()[:16]}")
