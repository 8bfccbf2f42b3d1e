"""NAME=VALUE on the command line, and a bar while samples are made."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, TypeVar

import click

T = TypeVar("T")
READERS: dict[str, Callable[[str], bool | int | float | str]] = {
    "bool": lambda text: {"true": True, "false": False}[text.lower()],
    "int": int,
    "float": float,
    "str": str,
}
Pairs = tuple[tuple[str, str], ...]


class Typed(Protocol):
    """A parameter as a model declares it."""

    @property
    def type(self) -> str:
        """One of `READERS`."""


def pair(context: click.Context, option: click.Parameter, given: tuple[str, ...]) -> Pairs:
    """A callback of click: every NAME=VALUE as (name, value)."""
    for text in given:
        if "=" not in text:
            raise click.BadParameter(f"{text!r} is not NAME=VALUE")
    return tuple((text.partition("=")[0], text.partition("=")[2]) for text in given)


def typed(declared: Typed | None, name: str, text: str) -> bool | int | float | str:
    """A parameter's value in its declared type; as text if it is not declared, and whoever is asked complains.

    Raises:
        InvalidArgument: it is not of that type.
    """
    from brood.protocol.errors import invalid

    kind = declared.type if declared else "str"
    try:
        return READERS[kind](text)
    except (KeyError, ValueError) as error:
        allowed = "true, false" if kind == "bool" else f"a value of type {kind}"
        raise invalid(f"params.{name}", text, allowed) from error


def watched(title: str, n: int, events: Iterable[T], sample: type) -> Iterator[T]:
    """The events, while a bar on standard error shows how many samples there are and how long it will still take."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TextColumn("left"), TimeRemainingColumn(), console=Console(stderr=True)) as progress:
        task = progress.add_task(title, total=n)
        for event in events:
            if isinstance(event, sample):
                progress.advance(task)
            yield event
