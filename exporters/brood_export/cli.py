"""The command ``brood-export``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

import brood
from brood.protocol.errors import BroodError
from brood.protocol.manifest import Manifest, Operation, Stage
from brood.store.store import read_bundle, zoo_root
from brood_export.bundle import BundleExists
from brood_export.card import operations
from brood_export.families import Misfit
from brood_export.function_graph import NotImportable
from brood_export.functions import DESCRIPTION, LICENSE, FunctionTitle, import_onnx
from brood_export.parity import ParityFailed, table
from brood_export.targets import TARGETS
from brood_export.zoo import training
from brood_export.zoo.registry import ENTRIES, export_zoo

REPEAT = {"once": "once", "schedule": "in every step"}
Folder = click.Path(file_okay=False, path_type=Path)


@contextmanager
def plain_errors() -> Iterator[None]:
    """What can go wrong becomes one line and exit code 1."""
    try:
        yield
    except (BroodError, ParityFailed, BundleExists, Misfit, NotImportable, FileNotFoundError) as error:
        raise click.ClickException(str(error)) from error


@click.group()
@click.version_option(brood.__version__)
def main() -> None:
    """Trained torch models in, bundles out."""


def sizes(context: click.Context, option: click.Parameter, given: tuple[str, ...]) -> dict[str, int]:
    """``NAME=SIZE``, any number of times."""
    found = {}
    for text in given:
        name, _, size = text.rpartition("=")
        if not name or not size.isdecimal():
            raise click.BadParameter(f"{text!r} is not NAME=SIZE with a whole number")
        found[name] = int(size)
    return found


@main.group()
def zoo() -> None:
    """The generators that ship with brood."""


@zoo.command()
@click.argument("names", nargs=-1, required=True, type=click.Choice(list(training.MODULES)), metavar="NAME...")
@click.option("--out", type=Folder, default=training.CHECKPOINTS, help="Folder of the checkpoints.")
def train(names: tuple[str, ...], out: Path) -> None:
    """Train models and write their checkpoints."""
    for name in names:
        with plain_errors():
            figures = training.run(name, out, progress_line(name))
        click.echo(f"\n{name}: " + ", ".join(f"{key} {value:.4g}" for key, value in figures.items()))


def progress_line(name: str) -> Callable[[int, int, training.Figures], None]:
    """A progress callback that keeps one line of the terminal up to date."""

    def show(step: int, steps: int, figures: training.Figures) -> None:
        numbers = " ".join(f"{key} {value:.4g}" for key, value in figures.items())
        click.echo(f"\r{name}: step {step}/{steps} {numbers}", nl=False, err=True)

    return show


@zoo.command()
@click.argument("names", nargs=-1, required=True, type=click.Choice(list(ENTRIES)), metavar="NAME...")
@click.option("--out", type=Folder, default=zoo_root(), help="Store to write to; default: the shipped one.")
@click.option("--checkpoints", type=Folder, default=training.CHECKPOINTS, help="Folder of the checkpoints.")
@click.option("--runtime", type=click.Choice(list(TARGETS)), default="onnx", show_default=True)
def export(names: tuple[str, ...], out: Path, checkpoints: Path, runtime: str) -> None:
    """Export trained models from their checkpoints and print their parity."""
    for name in names:
        with plain_errors():
            exported = export_zoo(name, out, checkpoints=checkpoints, runtime=runtime, say=say_for(name))
        click.echo(f"{name}: {exported.directory}\n\n{table(exported.differences)}")


def say_for(name: str) -> Callable[[str], None]:
    return lambda doing: click.echo(f"{name}: {doing} ...", err=True)


@main.command("import")
@click.argument("graph", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--name", required=True, help="Of the model.")
@click.option("--version", type=click.IntRange(min=1), default=1, show_default=True)
@click.option("--out", type=Folder, default=Path("models"), show_default=True, help="Store to write to.")
@click.option("--dims", multiple=True, callback=sizes, metavar="NAME=SIZE", help="Of an open axis; repeatable.")
@click.option("--description", default=DESCRIPTION, help="For people.")
@click.option("--license", "license_", default=LICENSE, help="SPDX expression of the weights' licence.")
def import_(
    graph: Path, name: str, version: int, out: Path, dims: dict[str, int], description: str, license_: str
) -> None:
    """Make a bundle of any ONNX file, served with the file's own names and types."""
    with plain_errors():
        made = import_onnx(graph, FunctionTitle(name, version, description, license_), out, dims=dims)
        manifest = read_bundle(made).manifest
    click.echo(f"{made}\n\n{summary(manifest)}")


@main.command()
@click.argument("bundle", type=click.Path(exists=True, file_okay=False, path_type=Path))
def inspect(bundle: Path) -> None:
    """Verify a bundle's files and tell what is in it."""
    with plain_errors():
        manifest = read_bundle(bundle, allow_native=True).manifest
    click.echo(summary(manifest))


def summary(manifest: Manifest) -> str:
    """A bundle in words: graphs with their tensors, operations, golden runs with their parity."""
    lines = [f"{manifest.name} version {manifest.version}, {manifest.family}: {manifest.description}", ""]
    for name, graph in manifest.graphs.items():
        lines.append(f"graph {name}: {graph.file} ({graph.runtime}), at most {graph.buckets[-1]} rows a call")
        lines += [f"  in  {key}: {spec.dtype} {shape(spec.shape)} {spec.role}" for key, spec in graph.inputs.items()]
        lines += [f"  out {key}: {spec.dtype} {shape(spec.shape)} {spec.role}" for key, spec in graph.outputs.items()]
    lines += ["", *map(course, manifest.operations, manifest.operations.values())]
    lines += ["", operations(manifest), ""]
    for golden in manifest.golden:
        psnr = "equal" if golden.parity.psnr_db is None else f"{golden.parity.psnr_db:.1f} dB"
        lines.append(f"golden {golden.id}: tolerance {golden.tolerance:g}, parity {golden.parity.max_abs:.1e}, {psnr}")
    return "\n".join(lines)


def course(name: str, operation: Operation) -> str:
    """Which graphs an operation calls, in order."""
    calls = [f"{stage.graph} {REPEAT[stage.repeat]}{instead(stage)}" for stage in operation.stages]
    preview = f"; preview by {operation.preview.graph}" if operation.preview else ""
    return f"operation {name}: {', then '.join(calls)}{preview}"


def instead(stage: Stage) -> str:
    """The other graph of a stage, if it has one, and when that is called."""
    other = stage.variant
    return "" if other is None else f" ({other.graph} where {other.column} is not {other.unless:g})"


def shape(sizes: tuple[int, ...]) -> str:
    """A tensor's full shape in words."""
    return f"[{', '.join(['rows', *map(str, sizes)])}]"
