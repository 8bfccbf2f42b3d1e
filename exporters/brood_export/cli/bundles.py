"""``brood-export inspect``, ``verify`` and ``import``: bundles that are there, and those made of other files."""

from __future__ import annotations

from pathlib import Path

import click

from brood.store.store import read_bundle
from brood_export.cli.common import Folder, plain_errors, say_for
from brood_export.cli.summary import summary
from brood_export.functions import DESCRIPTION, LICENSE, FunctionTitle, import_onnx
from brood_export.pipelines import import_pipeline
from brood_export.targets import TARGETS
from brood_export.verify import verify_bundle

Bundle = click.Path(exists=True, file_okay=False, path_type=Path)


def sizes(context: click.Context, option: click.Parameter, given: tuple[str, ...]) -> dict[str, int]:
    """``NAME=SIZE``, any number of times."""
    found = {}
    for text in given:
        name, _, size = text.rpartition("=")
        if not name or not size.isdecimal():
            raise click.BadParameter(f"{text!r} is not NAME=SIZE with a whole number")
        found[name] = int(size)
    return found


@click.command("import")
@click.argument("graph", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--name", required=True, help="Of the model.")
@click.option("--version", type=click.IntRange(min=1), default=1, show_default=True)
@click.option("--out", type=Folder, default=Path("models"), show_default=True, help="Store to write to.")
@click.option("--dims", multiple=True, callback=sizes, metavar="NAME=SIZE", help="Of an open axis; repeatable.")
@click.option("--generator", is_flag=True, help="Its one input is a latent: drawn from the seed, standard normal.")
@click.option(
    "--value-range", nargs=2, type=float, default=(0.0, 1.0), show_default=True, help="Of a generator's pictures."
)
@click.option("--description", default=DESCRIPTION, help="For people.")
@click.option("--license", "license_", default=LICENSE, help="SPDX expression of the weights' licence.")
def import_(
    graph: Path,
    name: str,
    version: int,
    out: Path,
    dims: dict[str, int],
    generator: bool,
    value_range: tuple[float, float],
    description: str,
    license_: str,
) -> None:
    """Make a bundle of any ONNX file, served with the file's own names and types."""
    with plain_errors():
        title = FunctionTitle(name, version, description, license_)
        made = import_onnx(graph, title, out, dims=dims, generator=generator, value_range=value_range)
        manifest = read_bundle(made).manifest
    click.echo(f"{made}\n\n{summary(manifest)}")


@click.command()
@click.argument("folder", type=Bundle)
@click.option("--name", required=True, help="Of the model.")
@click.option("--version", type=click.IntRange(min=1), default=1, show_default=True)
@click.option("--out", type=Folder, default=Path("models"), show_default=True, help="Store to write to.")
@click.option("--runtime", type=click.Choice(list(TARGETS)), default="onnx", show_default=True)
@click.option("--license", "spdx", default=LICENSE, help="Of the weights, in SPDX.")
@click.option("--replace", is_flag=True, help="Put the bundle in the place of an older one.")
def diffusers(folder: Path, name: str, version: int, out: Path, runtime: str, spdx: str, replace: bool) -> None:
    """Make a bundle of a diffusers pipeline in a local folder.

    Either a UNet2DModel and its scheduler; or, as Stable Diffusion has them, text encoder, tokenizer, UNet, VAE and
    scheduler.
    """
    with plain_errors():
        made = import_pipeline(
            folder, out=out, name=name, version=version, runtime=runtime, spdx=spdx, replace=replace, say=say_for(name)
        )
    click.echo(f"{made.directory}\n\n{made.table()}")


@click.command()
@click.argument("bundle", type=Bundle)
def inspect(bundle: Path) -> None:
    """Verify a bundle's files and tell what is in it."""
    with plain_errors():
        manifest = read_bundle(bundle, allow_native=True).manifest
    click.echo(summary(manifest))


@click.command()
@click.argument("bundle", type=Bundle)
@click.option("--graphs", type=Bundle, help="Run the graphs of this bundle of the same model, as of another runtime.")
def verify(bundle: Path, graphs: Path | None) -> None:
    """Hold a bundle against what the original made, on this machine; it may run code if its graphs are native."""
    with plain_errors():
        verified = verify_bundle(bundle, graphs)
    click.echo(verified.table())
    if verified.failed:
        raise click.ClickException(f"out of tolerance: {', '.join(verified.failed)}")
