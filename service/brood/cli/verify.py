"""``brood verify``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from brood.cli.errors import one_line

if TYPE_CHECKING:
    from rich.table import Table

    from brood.store.store import Bundle


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option("--allow-native", is_flag=True, help="load native code (TorchScript) of a bundle that is not brood's own")
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True, help="within one graph call")
def verify(bundle: Path, allow_native: bool, threads: int) -> None:
    """Check a bundle: manifest, hashes, graphs, and every golden sample of the original model.

    BUNDLE is the directory NAME/VERSION. Exit code 0: all is well; 1: it is not.
    """
    from rich.console import Console

    from brood.store.store import read_bundle

    with one_line():
        found = read_bundle(bundle, allow_native=allow_native)
        click.echo(f"{found.manifest.name} {found.manifest.version}: {len(found.manifest.files)} files as listed")
        table, failures = compare(found, threads)
    Console().print(table)
    if failures:
        raise click.ClickException(f"{failures} of {len(found.manifest.golden)} golden samples differ")


def compare(bundle: Bundle, threads: int) -> tuple[Table, int]:
    """Repeat every golden sample with the reference interpreter; the table, and how many differ.

    Raises:
        BundleError: a graph does not load, or a name leads nowhere.
    """
    from rich.table import Table

    from brood.host.loading import gate
    from brood.program import compile_program
    from brood.protocol.errors import BroodError
    from brood.runtimes.base import RuntimeOptions
    from brood.runtimes.load import load_graphs

    graphs = load_graphs(bundle.directory, bundle.manifest, RuntimeOptions(threads))
    table = Table("golden", "operation", "max |Δ|", "tolerance", "verdict", box=None, pad_edge=False)
    failures = 0
    for run in bundle.golden():
        words = run.words
        try:
            difference = f"{gate(compile_program(bundle.manifest, words.operation), graphs, run):.3g}"
            verdict = "ok"
        except BroodError as error:
            difference, verdict = "-", error.message
            failures += 1
        table.add_row(words.id, words.operation, difference, f"{words.tolerance:.3g}", verdict)
    return table, failures
