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
@click.option("--certify", is_flag=True, help="also find out at which batch sizes its samples are exact")
def verify(bundle: Path, allow_native: bool, threads: int, certify: bool) -> None:
    """Check a bundle: manifest, hashes, graphs, and every golden sample of the original model.

    BUNDLE is the directory NAME/VERSION. Exit code 0: all is well; 1: it is not.
    """
    from rich.console import Console

    from brood.cli.certify import certificates_table
    from brood.runtimes.base import RuntimeOptions
    from brood.store.store import read_bundle

    with one_line():
        found = read_bundle(bundle, allow_native=allow_native)
        click.echo(f"{found.manifest.name} {found.manifest.version}: {len(found.manifest.files)} files as listed")
        table, failures = compare(found, threads)
    Console().print(table)
    if certify:
        certificates, _ = certificates_table([bundle], [RuntimeOptions(threads)], allow_native)
        Console().print(certificates)
    if failures:
        raise click.ClickException(f"{failures} of {len(found.manifest.golden)} golden samples differ")


def compare(bundle: Bundle, threads: int) -> tuple[Table, int]:
    """Repeat every golden sample with the reference interpreter; the table, and how many differ.

    Raises:
        BundleError: a graph does not load, or a name leads nowhere.
    """
    from rich.table import Table

    from brood.host.examples import golden_example
    from brood.host.gate import gate
    from brood.host.opened import open_bundle
    from brood.host.trace import trace
    from brood.protocol.errors import BroodError
    from brood.runtimes.base import RuntimeOptions

    opened = open_bundle(bundle, RuntimeOptions(threads))
    alone = {name: graph.spec.buckets[0] for name, graph in opened.graphs.items()}
    table = Table("golden", "operation", "max |Δ|", "tolerance", "verdict", box=None, pad_edge=False)
    failures = 0
    for run in opened.golden:
        words = run.words
        example = golden_example(opened.programs[words.operation], run)
        try:
            difference = f"{gate(trace(example, opened.graphs, alone)):.3g}"
            verdict = "ok"
        except BroodError as error:
            difference, verdict = "-", error.message
            failures += 1
        table.add_row(words.id, words.operation, difference, f"{words.tolerance:.3g}", verdict)
    return table, failures
