"""``--url``: the SDK on the command line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from brood.cli.errors import one_line
from brood.cli.values import Pairs, typed, watched

if TYPE_CHECKING:
    from brood.store.wanted import Change
    from brood_client import Client, Model


@dataclass(frozen=True, slots=True)
class Remote:
    """A server."""

    url: str
    api_key: str | None
    tls_roots: Path | None


@contextmanager
def client_of(server: Remote) -> Iterator[Client]:
    """A client; whatever a person can act on becomes one line."""
    from brood_client import BroodError, Client

    with (
        one_line(BroodError, OSError, ValueError, ImportError),
        Client(server.url, api_key=server.api_key, tls_roots=server.tls_roots) as client,
    ):
        yield client


def models_of(server: Remote) -> Sequence[Model]:
    """All models of a server.

    Raises:
        click.ClickException: something that a person can act on, in one line.
    """
    with client_of(server) as client:
        return client.models()


def change_model(server: Remote, change: Change, name: str, version: int | None) -> Sequence[Model]:
    """Load, unload or reload a model of a server, and wait: its versions then.

    Raises:
        click.ClickException: something that a person can act on, in one line.
    """
    with client_of(server) as client:
        verbs = {"load": client.load_model, "unload": client.unload_model, "reload": client.reload_model}
        return verbs[change](name, version)


def generate_remotely(
    server: Remote,
    model: str,
    operation: str,
    n: int,
    seed: int | None,
    index: int,
    params: Pairs,
    inputs: Pairs,
    output: Path,
) -> tuple[list[Path], int]:
    """Make samples on a server and write them as files: those, and the seed.

    Raises:
        click.ClickException: something that a person can act on, in one line.
    """
    from brood.media.formats import format_of_path
    from brood_client import Sample

    with client_of(server) as client:
        declared = client.model(model).operations.get(operation)
        values = {name: typed(declared.params.get(name) if declared else None, name, text) for name, text in params}
        texts = {name for name, spec in declared.inputs.items() if spec.kind == "text"} if declared else set()
        with client.stream(
            model,
            operation=operation,
            n=n,
            seed=seed,
            index=index,
            params=values,
            inputs={name: text if name in texts else Path(text) for name, text in inputs},
            format=format_of_path(output),
            timeout_s=None,
        ) as stream:
            for _ in watched(model, n, stream, Sample):
                pass
            result = stream.result()
        return result.save(output), result.seed
