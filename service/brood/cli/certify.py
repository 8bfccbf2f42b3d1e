"""``brood certify``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import click

from brood.cli.errors import one_line

if TYPE_CHECKING:
    from rich.table import Table

    from brood.host.certificate import Certificate
    from brood.runtimes.base import RuntimeOptions


@click.command()
@click.argument("names", nargs=-1)
@click.option(
    "--models", "root", type=click.Path(path_type=Path), help="directory of bundles  [default: the shipped ones]"
)
@click.option(
    "--threads", type=click.IntRange(min=1), multiple=True, help="within one graph call; repeatable  [default: 1]"
)
@click.option("--device", default="cpu", show_default=True, help="cpu, cuda, cuda:N, tensorrt or tensorrt:N")
@click.option(
    "--out", type=click.Path(path_type=Path), help="directory to write to  [default: where servers keep them]"
)
@click.option("--allow-native", is_flag=True, help="load native code (TorchScript) of a bundle that is not brood's own")
def certify(
    names: tuple[str, ...],
    root: Path | None,
    threads: tuple[int, ...],
    device: str,
    out: Path | None,
    allow_native: bool,
) -> None:
    """Find out at which batch sizes models give the same bits, and write it down for servers to find.

    NAMES: of models; none: all. Everything is tried in this process and in a fresh one. Takes some seconds a model;
    servers make such certificates too, when they find none, with fewer trials and in one process.
    """
    from rich.console import Console

    from brood.host.certificates import FOLDER, write_certificate
    from brood.runtimes.base import RuntimeOptions
    from brood.settings import default_cache_dir

    cache_dir = default_cache_dir()
    folder = out or _folder(cache_dir, FOLDER)
    with one_line(OSError):
        bundles = _bundles(names, root)
        options = [RuntimeOptions(each, device, cache_dir=cache_dir) for each in threads or (1,)]
        table, certificates = certificates_table(bundles, options, allow_native)
        for certificate in certificates:
            write_certificate(folder, certificate)
    Console().print(table)
    click.echo(f"{len(certificates)} certificates in {folder}")


def certificates_table(
    bundles: Sequence[Path], options: Sequence[RuntimeOptions], allow_native: bool
) -> tuple[Table, list[Certificate]]:
    """Certify bundles, each with all options, in two processes; the certificates, also as a table.

    Raises:
        BroodError: a bundle does not load or run.
    """
    from rich.table import Table

    from brood.host.certify import certify_twice

    table = Table(box=None, pad_edge=False)
    for name in ("model", "threads", "graph", "exact at", "numerics", "seconds"):
        table.add_column(name, no_wrap=name in ("model", "numerics"))
    made = []
    for directory, each in product(bundles, options):
        click.echo(f"{'/'.join(directory.parts[-2:])}, threads: {each.threads} ...", err=True)
        certificate, trials = certify_twice(directory, each, allow_native=allow_native)
        made.append(certificate)
        for graph, buckets in certificate.exact.items():
            trial, where = trials[0][graph], certificate.conditions
            words = (f"{where.model} {where.version}", str(where.threads), graph, _sizes(buckets, trial.bits))
            table.add_row(*words, certificate.numerics_id, f"{trial.seconds:.1f}")
    return table, made


def _sizes(exact: Sequence[int], tried: Iterable[int]) -> str:
    """Batch sizes in few words."""
    others = sorted(set(tried) - set(exact))
    if not exact:
        return "none"
    if not others:
        return "all"
    few = min((exact, others), key=len)
    return ("all but " if few is others else "") + ", ".join(map(str, few))


def _bundles(names: Sequence[str], root: Path | None) -> list[Path]:
    """The directories of the models asked for.

    Raises:
        BundleError: there are no bundles.
        ModelNotFound: there is none of some name.
    """
    from brood.dataplane.naming import unknown
    from brood.protocol.errors import ModelNotFound
    from brood.store.store import find_bundles, zoo_root

    found = find_bundles(root or zoo_root())
    there = sorted({ref.name for ref in found})
    for name in names:
        if name not in there:
            raise ModelNotFound(unknown("model", name, there), field="model")
    return [ref.directory for ref in found if not names or ref.name in names]


def _folder(cache_dir: Path | None, name: str) -> Path:
    if cache_dir is None:
        raise click.UsageError("--out: there is no directory of this user's own; say where to write")
    return cache_dir / name
