"""``brood keys``."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from brood.access.verbs import SCOPES
from brood.cli.errors import one_line

if TYPE_CHECKING:
    from brood.access.keys import Key

SPAN = re.compile(r"([1-9][0-9]{0,5})([hd])")
WIDE = 500  # characters
HOURS = {"h": 1, "d": 24}


@click.group()
def keys() -> None:
    """Make, list and revoke API keys.

    They stand in a file of which only hashes can be read; a server started with --keys-file asks for them, and notices
    a change of the file within a second.
    """


def _file_option(command: Any) -> Any:
    return click.option(
        "--keys-file", type=click.Path(path_type=Path), help="file of keys  [default: the setting keys_file]"
    )(command)


@keys.command()
@click.argument("name")
@_file_option
@click.option("--scope", "scopes", multiple=True, help=f"{', '.join(SCOPES)}; repeatable  [default: generate]")
@click.option("--model", "models", multiple=True, metavar="PATTERN", help="models it may use; repeatable  [default: *]")
@click.option("--rate", "rate_per_s", type=float, help="requests a second  [default: any]")
@click.option("--burst", type=int, help="requests at once after a rest  [default: those of a second]")
@click.option("--concurrency", type=int, help="generations at the same time  [default: any]")
@click.option("--expires", metavar="WHEN", help="after 12h or 30d, or at 2030-01-31  [default: never]")
def create(name: str, keys_file: Path | None, **words: Any) -> None:
    """Make a key for NAME and show it: once, on standard output.

    Several keys may have one name: whoever uses them shares the device as one.
    """
    from pydantic import ValidationError

    from brood.access.file import KeysFileError, changed_keys
    from brood.access.keys import Grant, make_key

    path, now = _path(keys_file), datetime.now(UTC)
    try:
        new = make_key(name, Grant.model_validate(_words(words, now)), now)
    except ValidationError as error:
        raise click.UsageError(_complaint(error)) from error
    with one_line(KeysFileError), changed_keys(path, create=True) as known:
        known.append(new.key)
    click.echo(f"key {new.key.id} of {name}, in {path}. It is shown only now:", err=True)
    click.echo(new.secret)


@keys.command("list")
@_file_option
def list_keys(keys_file: Path | None) -> None:
    """List the keys, without their secrets, which nobody can read again."""
    from rich.console import Console
    from rich.table import Table

    from brood.access.file import KeysFileError, read_keys

    with one_line(KeysFileError):
        known = read_keys(_path(keys_file))
    table = Table(box=None, pad_edge=False)
    for name in ("id", "name", "scopes", "models", "rate", "at once", "made", "state"):
        table.add_column(name, no_wrap=name in ("id", "made"), overflow="fold")
    for key in known:
        table.add_row(*_cells(key))
    console = Console()
    if not console.is_terminal:
        console.width = WIDE  # programs read lines
    console.print(table)


@keys.command()
@click.argument("key_id", metavar="ID")
@_file_option
def revoke(key_id: str, keys_file: Path | None) -> None:
    """End a key for ever, by its id (see `brood keys list`)."""
    from brood.access.file import KeysFileError, changed_keys
    from brood.dataplane.naming import unknown

    with one_line(KeysFileError), changed_keys(_path(keys_file)) as known:
        place = next((place for place, key in enumerate(known) if key.id == key_id), None)
        if place is None:
            raise click.ClickException(unknown("id", key_id, [key.id for key in known]))
        if known[place].revoked is None:
            known[place] = known[place].model_copy(update={"revoked": datetime.now(UTC)})
    click.echo(f"key {key_id} of {known[place].name} is revoked")


def _path(given: Path | None) -> Path:
    """The file that is given, or else the one of the settings."""
    from brood.settings import SettingsError, read_settings

    if given is not None:
        return given
    try:
        path = read_settings({}).keys_file
    except SettingsError as error:
        raise click.UsageError(str(error)) from error
    if path is None:
        raise click.UsageError("which file? give --keys-file FILE, or set BROOD_KEYS_FILE")
    return path


def _words(options: dict[str, Any], now: datetime) -> dict[str, Any]:
    """The options that were given, as the fields of a grant."""
    words = {name: value for name, value in options.items() if value not in (None, ())}
    if "burst" in words and "rate_per_s" not in words:
        raise click.UsageError("--burst: only together with --rate")
    if "rate_per_s" in words and words["rate_per_s"] >= 1:
        words.setdefault("burst", int(min(words["rate_per_s"], 1e6)))
    if "expires" in words:
        words["expires"] = _moment(words["expires"], now)
    return words


def _moment(text: str, now: datetime) -> datetime:
    span = SPAN.fullmatch(text)
    try:
        moment = now + timedelta(hours=int(span[1]) * HOURS[span[2]]) if span else datetime.fromisoformat(text)
    except ValueError as error:
        raise click.UsageError(f"--expires: {text!r} is not allowed; allowed: 12h, 30d or 2030-01-31") from error
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    if moment <= now:
        raise click.UsageError(f"--expires: {text} has passed already")
    return moment


def _cells(key: Key) -> list[str]:
    rate = "any" if key.rate_per_s is None else f"{key.rate_per_s:g}/s, burst {key.burst}"
    at_once, made = str(key.concurrency or "any"), f"{key.created:%Y-%m-%d}"
    return [key.id, key.name, ", ".join(key.scopes), ", ".join(key.models), rate, at_once, made, _state(key)]


def _state(key: Key) -> str:
    if key.revoked is not None:
        return f"revoked {key.revoked:%Y-%m-%d}"
    if key.expires is None:
        return "holds"
    return f"{'holds until' if key.expires > datetime.now(UTC) else 'expired'} {key.expires:%Y-%m-%d %H:%M} UTC"


def _complaint(error: Any) -> str:
    first = error.errors(include_url=False)[0]
    field = first["loc"][0] if first["loc"] else "key"
    return f"{field}: {first['input']!r} is not allowed; {first['msg'][0].lower()}{first['msg'][1:]}"
