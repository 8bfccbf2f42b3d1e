"""``brood-export zoo``: train and export the generators that ship with brood."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

from brood.store.store import zoo_root
from brood_export.cli.common import Folder, plain_errors, say_for
from brood_export.targets import TARGETS
from brood_export.zoo import training
from brood_export.zoo.registry import ENTRIES, export_zoo


@click.group()
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
        click.echo(f"{name}: {exported.directory}\n\n{exported.table()}")
