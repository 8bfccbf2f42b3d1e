"""How a command fails: one line on standard error, and exit code 1."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click

from brood.protocol.errors import BroodError


@contextmanager
def one_line(*kinds: type[Exception]) -> Iterator[None]:
    """Turn errors that a person can act on into one line; others are bugs and keep their trace.

    Args:
        kinds: expected besides `BroodError`.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, (BroodError, *kinds)):
            raise click.ClickException(" ".join(str(error).split())) from error
        raise
