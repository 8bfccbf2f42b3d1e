"""``brood generate``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from brood.cli.errors import one_line

if TYPE_CHECKING:
    from brood.dataplane.local import LocalModel, Value
    from brood.dataplane.local_result import LocalResult
    from brood.protocol.events import Event
    from brood.protocol.requests import InputValue

READERS: dict[str, Callable[[str], bool | int | float | str]] = {
    "bool": lambda text: {"true": True, "false": False}[text.lower()],
    "int": int,
    "float": float,
    "str": str,
}
Pairs = tuple[tuple[str, str], ...]


def _pair(context: click.Context, option: click.Parameter, given: tuple[str, ...]) -> Pairs:
    for text in given:
        if "=" not in text:
            raise click.BadParameter(f"{text!r} is not NAME=VALUE")
    return tuple((text.partition("=")[0], text.partition("=")[2]) for text in given)


@click.command()
@click.argument("model")
@click.option("-n", "--n", "n", type=click.IntRange(min=1), default=1, show_default=True, help="number of samples")
@click.option("--seed", type=click.IntRange(min=0), help="default: one is drawn, and told")
@click.option("--index", type=click.IntRange(min=0), default=0, show_default=True, help="of the first sample")
@click.option("--operation", default="generate", show_default=True)
@click.option("--param", "params", multiple=True, callback=_pair, metavar="NAME=VALUE", help="repeatable")
@click.option("--input", "inputs", multiple=True, callback=_pair, metavar="NAME=FILE", help="PNG or NPY; repeatable")
@click.option("-o", "--output", type=click.Path(path_type=Path), default=Path("samples"), show_default=True)
@click.option(
    "--models", "root", type=click.Path(path_type=Path), help="directory of bundles  [default: the shipped ones]"
)
@click.option("--allow-native", is_flag=True, help="load native code (TorchScript) of a bundle that is not brood's own")
def generate(
    model: str,
    n: int,
    seed: int | None,
    index: int,
    operation: str,
    params: Pairs,
    inputs: Pairs,
    output: Path,
    root: Path | None,
    allow_native: bool,
) -> None:
    """Make samples in this process and write them as files.

    MODEL is a name, or the directory of a bundle. Images become PNG files and one contact sheet, other tensors NPY.
    """
    from brood.dataplane.local import load_local

    store = str(root) if root else None
    with one_line(OSError), load_local(model, store, allow_native=allow_native) as loaded:
        values: dict[str, Value] = {
            **{name: _typed(loaded, operation, name, text) for name, text in params},
            **{name: _file(name, Path(text)) for name, text in inputs},
        }
        result = _run(loaded, loaded.stream(operation, n=n, seed=seed, index=index, params=values), n)
        files = result.save(output)
    click.echo(f"{len(files)} files in {output}; seed {result.seed}")


def _run(model: LocalModel, events: Iterator[Event], n: int) -> LocalResult:
    """Collect while a bar shows how many are done and how long it will still take."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    from brood.protocol.events import Sample

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    # On standard error, so that the output of the command can be piped.
    with Progress(*columns, TextColumn("left"), TimeRemainingColumn(), console=Console(stderr=True)) as progress:
        task = progress.add_task(model.manifest.name, total=n)

        def watched() -> Iterator[Event]:
            for event in events:
                if isinstance(event, Sample):
                    progress.advance(task)
                yield event

        return model.collect(watched())


def _typed(model: LocalModel, operation: str, name: str, text: str) -> bool | int | float | str:
    """A parameter's value in its declared type; as text if there is no such type, and the data plane complains."""
    from brood.protocol.errors import invalid

    declared = model.manifest.operations.get(operation)
    spec = declared.params.get(name) if declared else None
    try:
        return READERS[spec.type if spec else "str"](text)
    except (KeyError, ValueError) as error:
        allowed = "true, false" if spec and spec.type == "bool" else f"a value of type {spec.type if spec else 'str'}"
        raise invalid(f"params.{name}", text, allowed) from error


def _file(name: str, path: Path) -> InputValue:
    """A file as an input; its suffix tells its format."""
    from brood.protocol.errors import invalid
    from brood.protocol.requests import InputValue

    suffix = path.suffix.lower()
    if suffix not in (".png", ".npy"):
        raise invalid(f"inputs.{name}", str(path), "files that end in .png or .npy")
    return InputValue(b64=path.read_bytes(), format="png" if suffix == ".png" else "npy")
