"""``brood models``."""

from __future__ import annotations

from pathlib import Path

import click

from brood.cli.errors import one_line


@click.command()
@click.option(
    "--models", "root", type=click.Path(path_type=Path), help="directory of bundles  [default: the shipped ones]"
)
def models(root: Path | None) -> None:
    """List the models of a directory, or the shipped ones."""
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
