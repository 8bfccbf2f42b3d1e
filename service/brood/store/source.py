"""Where bundles come from: a directory of this machine, or anything that fsspec reads (`brood.store.remote`)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from brood.protocol.errors import BundleError
from brood.store.files import MANIFEST, hash_file, refused
from brood.store.store import Bundle, find_bundles, read_bundle, zoo_root


class StoreUnreachable(Exception):
    """The store cannot be read now; the message names it and says why. It may be there again later."""


@dataclass(frozen=True, slots=True)
class Found:
    """A bundle that seems to lie in a store; nothing of it has been verified."""

    name: str
    version: int  # 0: the directory is not called like a version; opening it says so
    place: str  # in the words of the store
    stamp: str  # while it stays the same, so do the files: by their sizes and times, or by what the store tells

    @property
    def key(self) -> tuple[str, int]:
        """Name and version."""
        return self.name, self.version


class Store(Protocol):
    """A place of bundles. Its methods block, and are called on one thread."""

    where: str  # for messages; without credentials
    distant: bool  # bundles are brought here first, which may fail for the time being

    def look(self) -> Sequence[Found]:
        """All bundles, in order of name and version.

        Raises:
            StoreUnreachable: it cannot be read, or holds none.
        """
        ...

    def digest(self, found: Found) -> str:
        """SHA-256 of the manifest as it lies there now, and so of everything it lists.

        Raises:
            StoreUnreachable: it cannot be read.
        """
        ...

    def open(self, found: Found, *, allow_native: bool) -> Bundle:
        """A verified bundle on this machine (see `brood.store.store.read_bundle`).

        Raises:
            BundleError: the bundle cannot be trusted or understood.
            StoreUnreachable: it could not be brought here.
        """
        ...


def stamp_of(rows: Iterable[tuple[object, ...]]) -> str:
    """A name for what a store tells about a bundle's files, in any order."""
    return hashlib.sha256(repr(sorted(map(repr, rows))).encode()).hexdigest()[:16]


class Directory:
    """A store on this machine: bundles stay where they lie."""

    distant = False

    def __init__(self, root: Path) -> None:
        self.where = str(root)
        self._root = root

    def look(self) -> Sequence[Found]:
        """See `Store.look`."""
        try:
            refs = find_bundles(self._root)
            return [Found(ref.name, ref.version, str(ref.directory), _stamp(ref.directory)) for ref in refs]
        except BundleError as error:
            raise StoreUnreachable(error.message) from error
        except OSError as error:
            raise StoreUnreachable(f"{self.where}: {error.strerror or error}") from error

    def digest(self, found: Found) -> str:
        """See `Store.digest`."""
        try:
            return hash_file(Path(found.place) / MANIFEST)
        except OSError as error:
            raise StoreUnreachable(f"{found.place}: {error.strerror or error}") from error

    def open(self, found: Found, *, allow_native: bool) -> Bundle:
        """See `Store.open`."""
        try:
            return read_bundle(Path(found.place), allow_native=allow_native)
        except OSError as error:
            raise refused(Path(found.place), "files", f"{error.strerror or error}") from error


def _stamp(directory: Path) -> str:
    files = [(path, path.stat()) for path in directory.rglob("*") if path.is_file()]
    return stamp_of((str(path.relative_to(directory)), stat.st_size, stat.st_mtime_ns) for path, stat in files)


def is_url(place: str) -> bool:
    """Whether a place of bundles is a URL, and not a directory of this machine."""
    return "://" in place


def open_store(place: Path | str | None, cache_dir: Path | None) -> Store:
    """The store at a place; nothing is read yet.

    Args:
        place: a directory, or a URL that fsspec understands; None: the bundles that ship with brood.
        cache_dir: below it, bundles of a URL are kept.

    Raises:
        BundleError: a URL needs a cache directory, and there is none.
    """
    if place is None:
        return Directory(zoo_root())
    if isinstance(place, Path) or not is_url(place):
        return Directory(Path(place))
    if place.startswith("file://"):
        return Directory(Path(place.removeprefix("file://")))
    from brood.store.remote import Remote, shown  # fsspec, only where it is needed

    if cache_dir is None:
        raise BundleError(f"{shown(place)}: bundles of a URL need a directory to be kept in; set cache_dir")
    return Remote(place, cache_dir / "bundles")
