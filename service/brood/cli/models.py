"""``brood models``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from brood.cli.errors import one_line

if TYPE_CHECKING:
    from brood.store.wanted import Change
    from brood_client import Model

Command = Callable[..., None]


def server_options(command: Command) -> Command:
    """Give a command the options that say which server is meant."""
    for option in (
        click.option("--tls-roots", type=click.Path(path_type=Path), help="PEM file of the server's authority"),
        click.option("--api-key", envvar="BROOD_API_KEY", help="for the server  [env: BROOD_API_KEY]"),
    ):
        command = option(command)
    return command


@click.group(invoke_without_command=True)
@click.option(
    "--models", "root", type=click.Path(path_type=Path), help="directory of bundles  [default: the shipped ones]"
)
@click.option("--url", help="those of a server: http://HOST:PORT, https://…, grpc://… or grpcs://…")
@server_options
@click.pass_context
def models(
    context: click.Context, root: Path | None, url: str | None, api_key: str | None, tls_roots: Path | None
) -> None:
    """List the models of a directory, of a server, or the shipped ones; or change those of a server."""
    if context.invoked_subcommand is not None:
        return
    if url is None:
        _list_here(root)
    elif root is not None:
        raise click.UsageError("--models is about bundles here; leave it out with --url")
    else:
        from brood.cli.remote import Remote, models_of

        _show(models_of(Remote(url, api_key, tls_roots)))


def _changing(change: Change, text: str) -> click.Command:
    """The command of one change."""

    @click.command(change, help=f"{text} The server must run with --admin, and the key have the scope admin.")
    @click.argument("name")
    @click.option("--version", type=click.IntRange(min=1), help="this one only")
    @click.option("--url", required=True, help="http://HOST:PORT, https://…, grpc://… or grpcs://…")
    @server_options
    def command(name: str, version: int | None, url: str, api_key: str | None, tls_roots: Path | None) -> None:
        from brood.cli.remote import Remote, change_model

        _show(change_model(Remote(url, api_key, tls_roots), change, name, version))

    return command


models.add_command(_changing("load", "Load what is not ready of a model on a server, and wait."))
models.add_command(_changing("unload", "Let go of a model on a server; what runs goes on to its end."))
models.add_command(
    _changing("reload", "Load what is not ready, and what has other bytes in the store than those that serve.")
)


def _show(found: Sequence[Model]) -> None:
    """Models of a server, and what runs them."""
    from rich.console import Console
    from rich.table import Table

    table = Table("model", "version", "state", "runs on", "operations", "what is wrong", box=None, pad_edge=False)
    for model in found:
        runs = ", ".join(word for word in (model.device, model.provider, model.precision) if word)
        aside = sum(sum(nodes.values()) for nodes in model.fallback.values())
        wrong = [model.reason, f"{aside} nodes beside the device" if aside else ""]
        told = "; ".join(filter(None, wrong))
        table.add_row(model.name, str(model.version), model.state, runs, ", ".join(model.operations), told)
    Console().print(table)


def _list_here(root: Path | None) -> None:
    from rich.console import Console
    from rich.table import Table

    from brood.protocol.errors import BundleError
    from brood.store.files import read_manifest
    from brood.store.store import find_bundles, zoo_root

    table = Table("model", "version", "family", "operations", "MB", "description", box=None, pad_edge=False)
    with one_line():
        found = find_bundles(root or zoo_root())
    for ref in found:
        try:
            manifest, _ = read_manifest(ref.directory)
        except BundleError as error:
            table.add_row(ref.name, str(ref.version), "-", "-", "-", f"[red]{error.message}[/red]")
            continue
        size = sum(file.stat().st_size for file in ref.directory.rglob("*") if file.is_file()) / 1e6
        operations = ", ".join(manifest.operations)
        table.add_row(ref.name, str(ref.version), manifest.family, operations, f"{size:.1f}", manifest.description)
    Console().print(table)
