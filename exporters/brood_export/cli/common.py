"""What the commands share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from brood.protocol.errors import BroodError
from brood_export.errors import ExportError

Folder = click.Path(file_okay=False, path_type=Path)


@contextmanager
def plain_errors() -> Iterator[None]:
    """What can go wrong becomes one line and exit code 1."""
    try:
        yield
    except (BroodError, ExportError, FileNotFoundError) as error:
        raise click.ClickException(str(error)) from error


def say_for(name: str) -> Callable[[str], None]:
    return lambda doing: click.echo(f"{name}: {doing} ...", err=True)
