"""``brood serve``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from pydantic.fields import FieldInfo

from brood.cli.errors import one_line
from brood.settings import Settings, SettingsError, read_settings

Command = Callable[..., None]


def settings_options(command: Command) -> Command:
    """Give a command one option for each setting; only those given are handed on."""
    for name, field in reversed(Settings.model_fields.items()):
        command = _option(name, field)(command)
    return command


def _option(name: str, field: FieldInfo) -> Callable[[Command], Command]:
    default = field.get_default(call_default_factory=True, validated_data={})
    shown = "" if default in (None, (), {}, False) else f"  [default: {default}]"
    text = f"{field.description or name.replace('_', ' ')}{shown}"
    if name == "names":  # a list in the file, a repeated flag here
        return click.option("--model", "names", multiple=True, metavar="NAME", help=f"{text}; repeatable")
    if field.annotation is bool:
        return click.option(f"--{name.replace('_', '-')}", is_flag=True, default=None, help=text)
    return click.option(f"--{name.replace('_', '-')}", metavar=name.rpartition("_")[2].upper(), help=text)


@click.command()
@click.option("--config", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="TOML file of settings")
@settings_options
def serve(config: Path | None, **flags: Any) -> None:
    """Serve models over HTTP and gRPC on Ray Serve: on this machine, or on a cluster (--address).

    Each option can also be set in the environment (BROOD_HTTP_PORT=8000) or in the file (http_port = 8000).
    """
    settings = given(flags, config)
    from brood.access.file import KeysFileError
    from brood.frontends.servers import PortInUse
    from brood.frontends.tls import TlsError
    from brood.serve.errors import StartFailed
    from brood.serve.launch import launch

    with one_line(PortInUse, KeysFileError, TlsError, StartFailed, OSError):
        launch(settings)


def given(flags: dict[str, Any], config: Path | None) -> Settings:
    """The settings of a command.

    Raises:
        click.UsageError: one is unknown or not allowed.
    """
    try:
        return read_settings({name: value for name, value in flags.items() if value not in (None, ())}, config)
    except SettingsError as error:
        raise click.UsageError(str(error)) from error
