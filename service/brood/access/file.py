"""The file of keys: JSON, for its owner's eyes alone, replaced as a whole."""

from __future__ import annotations

import fcntl
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from brood.access.keys import Key

MOST_BYTES = 16 * 2**20


class KeysFileError(Exception):
    """The file of keys cannot be read or written; the message is one line."""


class KeysFile(BaseModel):
    """What stands in the file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal["brood-keys/1"] = "brood-keys/1"
    keys: tuple[Key, ...] = ()


def read_keys(path: Path) -> tuple[Key, ...]:
    """All keys of a file.

    Raises:
        KeysFileError: it is not there, not made of keys, or can be changed by anybody.
    """
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_mode & stat.S_IWOTH:
                raise KeysFileError(f"keys file {path}: everybody may write it; allowed: chmod 600")
            content = file.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise KeysFileError(f"keys file {path}: larger than {MOST_BYTES} bytes")
        keys = KeysFile.model_validate_json(content).keys
    except OSError as error:
        raise KeysFileError(f"keys file {path}: {error.strerror}; `brood keys create` makes one") from error
    except ValidationError as error:
        raise KeysFileError(f"keys file {path}: {_complaint(error)}") from error
    if len({key.id for key in keys}) < len(keys):
        raise KeysFileError(f"keys file {path}: two keys have the same id")
    return keys


@contextmanager
def changed_keys(path: Path, *, create: bool = False) -> Iterator[list[Key]]:
    """The keys of a file, to be changed in place; written when the block ends well. One at a time does this.

    Args:
        path: the file; its directory must be there.
        create: begin with no keys if there is no file.

    Raises:
        KeysFileError: it cannot be read or written.
    """
    try:
        with _alone(path.parent):
            keys = [] if create and not path.exists() else list(read_keys(path))
            yield keys
            _write(path, KeysFile(keys=tuple(keys)))
    except OSError as error:
        raise KeysFileError(f"keys file {path}: {error.strerror}") from error


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """No other process of this machine that asks for the same is let in meanwhile."""
    lock = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _write(path: Path, content: KeysFile) -> None:
    """Readers see the old file or the new one. (`tempfile` makes files that only their owner can read: 0600.)"""
    target = path.resolve()  # a link stays a link
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}-")
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(content.model_dump_json(indent=1) + "\n")
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _complaint(error: ValidationError) -> str:
    """Where and what; not the value, which may be a part of a key."""
    first = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(str(part) for part in first['loc']) or 'content'}: {first['msg']}"
