"""``brood config``."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from brood.cli.errors import one_line
from brood.cli.serve import given, settings_options


@click.group()
def config() -> None:
    """Settings as files for others."""


@config.command()
@click.option("--config", "file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="TOML file")
@click.option("--restart", is_flag=True, help="have all processes replaced, even if no setting has changed")
@settings_options
def render(file: Path | None, restart: bool, **flags: Any) -> None:
    """Print the settings as a file for `serve deploy`, or for serveConfigV2 of a RayService.

    Settings are given as for `brood serve`. What is not given is not written: it is then as it is by default on the
    cluster's nodes.
    """
    settings = given(flags, file)
    with one_line():
        from brood.serve.render import render as rendered

        mark = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}" if restart else ""
        click.echo(rendered(settings, mark), nl=False)
