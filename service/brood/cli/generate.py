"""``brood generate``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from brood.cli.errors import one_line
from brood.cli.values import Pairs, pair, typed, watched

if TYPE_CHECKING:
    from brood.dataplane.local import Value
    from brood.protocol.manifest import Input
    from brood.protocol.requests import InputValue


@click.command()
@click.argument("model")
@click.option("-n", "--n", "n", type=click.IntRange(min=1), default=1, show_default=True, help="number of samples")
@click.option("--seed", type=click.IntRange(min=0), help="default: one is drawn, and told")
@click.option("--index", type=click.IntRange(min=0), default=0, show_default=True, help="of the first sample")
@click.option("--operation", default="generate", show_default=True)
@click.option("--param", "params", multiple=True, callback=pair, metavar="NAME=VALUE", help="repeatable")
@click.option(
    "--input",
    "inputs",
    multiple=True,
    callback=pair,
    metavar="NAME=FILE",
    help="PNG, WAV, FLAC or NPY, or NAME=TEXT where a text is read; repeatable",
)
@click.option("-o", "--output", type=click.Path(path_type=Path), default=Path("samples"), show_default=True)
@click.option(
    "--models", "root", type=click.Path(path_type=Path), help="directory of bundles  [default: the shipped ones]"
)
@click.option("--allow-native", is_flag=True, help="load native code (TorchScript) of a bundle that is not brood's own")
@click.option("--url", help="let a server do it: http://HOST:PORT, https://…, grpc://… or grpcs://…")
@click.option("--api-key", envvar="BROOD_API_KEY", help="for the server  [env: BROOD_API_KEY]")
@click.option("--tls-roots", type=click.Path(path_type=Path), help="PEM file of the server's authority")
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
    url: str | None,
    api_key: str | None,
    tls_roots: Path | None,
) -> None:
    """Make samples in this process, or on a server, and write them as files.

    MODEL is a name, or (without --url) the directory of a bundle. Images become PNG files and one contact sheet, sound
    WAV, video MP4, other tensors NPY. The files are the same either way. An OUTPUT that ends like a file, such as x.wav
    or x.gif, is one, of one sample.
    """
    from brood.media.formats import format_of_path

    if n != 1 and format_of_path(output) is not None:
        raise click.UsageError(f"--output {output}: one file holds one sample; leave -n out, or name a directory")
    if url is not None:
        from brood.cli.remote import Remote, generate_remotely

        if root is not None or allow_native:
            raise click.UsageError("--models and --allow-native are about bundles here; leave them out with --url")
        server = Remote(url, api_key, tls_roots)
        files, used = generate_remotely(server, model, operation, n, seed, index, params, inputs, output)
    else:
        files, used = _generate_here(model, operation, n, seed, index, params, inputs, output, root, allow_native)
    told = f"{output}" if files == [output] else f"{len(files)} files in {output}"
    click.echo(f"{told}; seed {used}")


def _generate_here(
    model: str,
    operation: str,
    n: int,
    seed: int | None,
    index: int,
    params: Pairs,
    inputs: Pairs,
    output: Path,
    root: Path | None,
    allow_native: bool,
) -> tuple[list[Path], int]:
    """The files, and the seed."""
    from brood.dataplane.local import load_local
    from brood.protocol.events import Sample

    store = str(root) if root else None
    with one_line(OSError), load_local(model, store, allow_native=allow_native) as loaded:
        declared = loaded.manifest.operations.get(operation)
        values: dict[str, Value] = {
            **{name: typed(declared.params.get(name) if declared else None, name, text) for name, text in params},
            **{name: _input(declared.inputs.get(name) if declared else None, name, text) for name, text in inputs},
        }
        events = loaded.stream(operation, n=n, seed=seed, index=index, params=values)
        result = loaded.collect(watched(loaded.manifest.name, n, events, Sample))
        return result.save(output), result.seed


def _input(declared: Input | None, name: str, text: str) -> InputValue:
    """What is given as NAME=TEXT: the text itself, or the file of that name."""
    from brood.protocol.requests import InputValue

    return InputValue(text=text) if declared and declared.kind == "text" else _file(name, Path(text))


def _file(name: str, path: Path) -> InputValue:
    """A file as an input; its suffix tells its format."""
    from brood.protocol.errors import invalid
    from brood.protocol.requests import InputFormat, InputValue

    formats: dict[str, InputFormat] = {".png": "png", ".npy": "npy", ".wav": "wav", ".flac": "flac"}
    form = formats.get(path.suffix.lower())
    if form is None:
        raise invalid(f"inputs.{name}", str(path), f"files that end in {', '.join(formats)}")
    return InputValue(b64=path.read_bytes(), format=form)
