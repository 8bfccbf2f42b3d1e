"""``brood-export FAMILY module:factory``: one command for each family, with the options its adapter asks for."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from brood_export.api import LICENSE, export
from brood_export.cli.common import Folder, plain_errors, say_for
from brood_export.errors import Misfit
from brood_export.factory import make_model
from brood_export.families import FAMILIES
from brood_export.options import Option, options_of
from brood_export.targets import PRECISIONS, TARGETS

COMMON: tuple[click.Parameter, ...] = (
    click.Argument(["factory"], metavar="MODULE:FACTORY"),
    click.Option(["--checkpoint"], type=click.Path(path_type=Path), help="Weights; safetensors preferred."),
    click.Option(["--key"], help="Of the dictionary in the checkpoint that holds the weights."),
    click.Option(["--out"], type=Folder, default=Path("models"), show_default=True, help="Store to write to."),
    click.Option(["--name"], required=True, help="Of the model."),
    click.Option(["--version"], type=click.IntRange(min=1), default=1, show_default=True),
    click.Option(["--runtime"], type=click.Choice(list(TARGETS)), default="onnx", show_default=True),
    click.Option(
        ["--precision"], type=click.Choice(list(PRECISIONS)), default="fp32", show_default=True, help="Of the network."
    ),
    click.Option(["--description"], default="", help="For people."),
    click.Option(
        ["--license", "spdx"], default=LICENSE, show_default=True, help="SPDX expression of the weights' licence."
    ),
    click.Option(["--replace"], is_flag=True, help="Put the bundle in the place of an older one."),
)
CALLED = frozenset(str(parameter.name) for parameter in COMMON) - {"factory", "replace"}


def family_command(family: str) -> click.Command:
    """The command that exports models of a family."""
    options = options_of(FAMILIES[family])

    def run(**given: object) -> None:
        with plain_errors():
            run_export(family, options, {name: value for name, value in given.items() if value is not None})

    doc = inspect.getdoc(FAMILIES[family]) or ""
    about = doc.partition("\n\nArgs:")[0].replace("``", "")
    parameters = [*COMMON, *map(_parameter, options.values())]
    short = about.splitlines()[0]
    return click.Command(family, callback=run, params=parameters, help=about, short_help=short)


def _parameter(option: Option) -> click.Parameter:
    default = "required" if option.required else f"default {option.default}"
    text = f"{option.text} [{option.allowed}; {default}]"
    return click.Option([f"--{option.name.replace('_', '-')}", option.name], help=text)


def run_export(family: str, options: Mapping[str, Option], given: Mapping[str, object]) -> None:
    """Make the model, export it, and tell how near it came."""
    name = str(given["name"])
    chosen: dict[str, Any] = {key: parsed(options[key], str(value)) for key, value in given.items() if key in options}
    words: dict[str, Any] = {key: value for key, value in given.items() if key in CALLED}
    model = make_model(str(given["factory"]))
    exported = export(model, family=family, replace=bool(given["replace"]), say=say_for(name), **words, **chosen)
    click.echo(f"{exported.directory}\n\n{exported.table()}")
    if exported.preview:
        click.echo(f"samples: {exported.preview}")


def parsed(option: Option, text: str) -> object:
    """What an option's text means.

    Raises:
        Misfit: it means nothing that is allowed.
    """
    try:
        return option.parse(text)
    except ValueError as error:
        raise Misfit(
            f"--{option.name.replace('_', '-')}: {text!r} is not allowed; allowed: {option.allowed}"
        ) from error
