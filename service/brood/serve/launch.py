"""From settings to a running server on this machine: all that must be in order before Ray is even imported."""

from __future__ import annotations

import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from brood.dataplane.naming import unknown
from brood.frontends.http.hosts import own_names
from brood.frontends.tls import server_context
from brood.observe.exporter import Exporter
from brood.protocol.errors import ModelNotFound
from brood.serve.entrance import gate_of, scrape_check, tls_of
from brood.serve.ports import find_ports
from brood.serve.signals import StopWish
from brood.settings import Settings, export_variables
from brood.store.store import find_bundles, zoo_root


def launch(settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM; leaves nothing running and no file behind.

    Raises:
        PortInUse: one of the ports is taken; nothing has been started.
        BundleError: the directory of bundles cannot be read; nothing has been started.
        ModelNotFound: a name is no bundle of it; nothing has been started.
        KeysFileError, TlsError: the keys or the certificate cannot be used; nothing has been started.
        StartFailed: Ray or the application could not be started.
    """
    wish = StopWish()
    wish.listen()
    _check_models(settings)
    tls = tls_of(settings)
    context = None if tls is None else server_context(tls)
    check = scrape_check(gate_of(settings), own_names(settings.host, settings.host_names))
    ports = find_ports(
        settings.host, {"http": settings.http_port, "grpc": settings.grpc_port, "metrics": settings.metrics_port}
    )
    settings = settings.model_copy(update={f"{name}_port": port for name, port in ports.items()})
    with _run_directory() as directory:
        metrics_dir = settings.metrics_dir or directory / "metrics"
        metrics_dir.mkdir(exist_ok=True)
        export_variables(ray_variables())
        from brood.serve.supervisor import Supervisor  # only now: Ray reads its variables when it is imported

        settings = settings.model_copy(update={"metrics_dir": metrics_dir})
        with Exporter(settings.host, settings.metrics_port, metrics_dir, check, context):
            Supervisor(settings, directory, wish).run()


def ray_variables() -> dict[str, str]:
    """What Ray takes from the environment only."""
    return {
        "RAY_USAGE_STATS_ENABLED": "0",
        # A token of this run: else Ray keeps one in the home directory, which it may not be allowed to write.
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
        # Ray runs its workers at niceness 15: whatever else runs on the machine would come before the server.
        "RAY_worker_niceness": "0",
        # One event loop in the replica: gRPC wakes all there are for each event of any (docs/ray.md has the figures).
        "RAY_SERVE_RUN_USER_CODE_IN_SEPARATE_THREAD": "0",
        # A replica that hangs holds the ports that the next one needs.
        "RAY_SERVE_FORCE_STOP_UNHEALTHY_REPLICAS": "1",
    }


def _check_models(settings: Settings) -> None:
    there = sorted({ref.name for ref in find_bundles(settings.models or zoo_root())})
    for name in settings.names:
        if name not in there:
            raise ModelNotFound(unknown("model", name, there), field="model")


@contextmanager
def _run_directory() -> Iterator[Path]:
    """A directory of this run. The name is short: Ray puts sockets into it, whose paths may have 107 bytes."""
    directory = Path(tempfile.mkdtemp(prefix="brood-"))
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)
