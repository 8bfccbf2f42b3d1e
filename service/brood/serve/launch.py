"""From settings to a running server: all that must be in order before Ray is even imported."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from brood.dataplane.naming import unknown
from brood.protocol.errors import ModelNotFound
from brood.runtimes.device import parse_device
from brood.runtimes.gpus import gpu_of, visible_gpus
from brood.serve.entrance import check_entrance, exporter_of
from brood.serve.hosting import wanted_of
from brood.serve.ports import find_ports
from brood.serve.signals import StopWish
from brood.serve.variables import ray_variables
from brood.settings import Settings, export_variables
from brood.store.store import find_bundles, zoo_root


def launch(settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM; leaves nothing running and no file behind.

    Raises:
        PortInUse: one of the ports is taken; nothing has been started.
        BundleError: the directory of bundles cannot be read, or there is no such GPU; nothing has been started.
        ModelNotFound: a name is no bundle of it; nothing has been started.
        KeysFileError, TlsError: the keys or the certificate cannot be used; nothing has been started.
        StartFailed: Ray or the application could not be started.
        InvalidArgument: a version policy is for a model that is not among the names.
    """
    wish = StopWish()
    wish.listen()
    wanted_of(settings)
    check_entrance(settings)
    if settings.address is not None:
        with _run_directory() as directory:
            _supervise(settings, directory, wish)
        return
    _check_devices(settings)
    _check_models(settings)
    ports = find_ports(
        settings.host, {"http": settings.http_port, "grpc": settings.grpc_port, "metrics": settings.metrics_port}
    )
    with _run_directory() as directory:
        metrics_dir = settings.metrics_dir or directory / "metrics"
        metrics_dir.mkdir(exist_ok=True)
        found: dict[str, object] = {f"{name}_port": port for name, port in ports.items()}
        settings = settings.model_copy(update={**found, "metrics_dir": metrics_dir})
        export_variables(ray_variables())
        with exporter_of(settings, metrics_dir):
            _supervise(settings, directory, wish)


def _supervise(settings: Settings, directory: Path, wish: StopWish) -> None:
    from brood.serve.supervisor import Supervisor  # only now: Ray reads its variables when it is imported

    Supervisor(settings, directory, wish).run()


def _check_devices(settings: Settings) -> None:
    """On this machine alone, nobody will bring a GPU later: Ray would wait for one without an end."""
    names = {group.device or settings.device for group in settings.groups}
    for device in sorted(names | {settings.device}):
        if (parsed := parse_device(device)).is_gpu:
            gpu_of(parsed, visible_gpus())


def _check_models(settings: Settings) -> None:
    """A directory of this machine must be right from the beginning; a store elsewhere may come later."""
    if isinstance(settings.models, str):
        return
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
