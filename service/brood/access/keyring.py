"""The keys that hold now: read from their file, and read again when it changes."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path

from brood.access.file import KeysFileError, read_keys
from brood.access.keys import Key, fits, id_of
from brood.protocol.errors import Unauthenticated

LOOK_EVERY_S = 1.0  # so long a revoked key may still hold
log = logging.getLogger(__name__)

# What an unknown key is held against, so that it takes as long as a known one.
NOBODY = Key.model_construct(id="0" * 12, salt="0" * 32, digest="0" * 64)
WRONG = "the key is not one of this server"

Stamp = tuple[int, int, int]  # of a file: when it was written, its size, its inode


class Keyring:
    """Recognises keys.

    A file that becomes unreadable while the server runs changes nothing: the keys read last go on, and the log says so.

    Args:
        path: the file of keys.
        clock: seconds from anywhere, never going back.

    Raises:
        KeysFileError: the file cannot be read.
    """

    def __init__(self, path: Path, clock: Callable[[], float]) -> None:
        self._path, self._clock = path, clock
        self._looked, self._stamp = clock(), _stamp(path)
        self._keys = _by_id(path)

    def recognise(self, secret: str, now: datetime) -> Key:
        """The key that a caller has sent.

        Raises:
            Unauthenticated: it is none, was revoked, or has expired. Only who has the secret is told which.
        """
        self._look()
        key = self._keys.get(id_of(secret) or "", NOBODY)
        if not fits(secret, key):
            raise Unauthenticated(WRONG)
        if key.revoked is not None:
            raise Unauthenticated(f"the key {key.id} was revoked at {key.revoked:%Y-%m-%d %H:%M} UTC")
        if key.expires is not None and key.expires <= now:
            raise Unauthenticated(f"the key {key.id} expired at {key.expires:%Y-%m-%d %H:%M} UTC")
        return key

    def _look(self) -> None:
        now = self._clock()
        if now - self._looked < LOOK_EVERY_S:
            return
        self._looked = now
        stamp = _stamp(self._path)
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._keys = _by_id(self._path)
        except KeysFileError as error:
            log.error("%s; the keys read before go on", error)
        else:
            log.info("read %d keys again from %s", len(self._keys), self._path)


def _by_id(path: Path) -> Mapping[str, Key]:
    return {key.id: key for key in read_keys(path)}


def _stamp(path: Path) -> Stamp | None:
    """Links are followed: where secrets are mounted, a new version is a link that leads elsewhere."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
