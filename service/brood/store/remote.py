"""A store behind a URL: whatever fsspec reads (``s3://``, ``gs://``, ``https://``, ``memory://`` …), kept in a cache.

A bundle is downloaded to a temporary name, verified, and then renamed to ``DIGEST/NAME/VERSION`` in the cache, so a
half-downloaded one is never loaded, and several processes can share a cache. As the digest names the bytes of all files
of a bundle, another bundle under the same version number lies elsewhere and takes nothing away from those that run.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import fsspec

from brood.protocol.errors import BundleError
from brood.store.files import MANIFEST, hash_file, read_manifest, refused
from brood.store.source import Found, StoreUnreachable, stamp_of
from brood.store.store import Bundle, read_bundle

PARTIAL = ".partial-"  # begins the names of downloads that are not finished
DAY_S = 86_400.0
DEEPEST = 4  # folders below a bundle's, for listings that lead in circles
STALE_S, UNUSED_S = DAY_S, 30 * DAY_S  # after so long, a download has been given up, and a bundle is not kept any more
# What file systems tell about a file that changes whenever its bytes do.
MARKS = ("ETag", "etag", "md5Hash", "content_md5", "generation", "LastModified", "last_modified", "updated", "mtime")
Row = Mapping[str, Any]


def shown(url: str) -> str:
    """A URL without what may be secret in it: user, password, query."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


class Remote:
    """A store behind a URL.

    Args:
        url: of the directory that holds ``NAME/VERSION``.
        cache: where bundles are kept.
    """

    distant = True

    def __init__(self, url: str, cache: Path) -> None:
        self.where = shown(url)
        self._url, self._cache = url, cache

    def look(self) -> Sequence[Found]:
        """See `Store.look`."""
        found = [
            self._found(name, int(version), f"{name}/{version}")
            for name in self._folders("")
            for version in self._folders(name)
            if version.isdecimal()
        ]
        if not found:
            raise StoreUnreachable(f"{self.where}: no bundles here; expected NAME/VERSION/{MANIFEST} below it")
        return sorted(found, key=lambda each: each.key)

    def digest(self, found: Found) -> str:
        """See `Store.digest`."""
        with tempfile.TemporaryDirectory(prefix="brood-") as directory:
            path = Path(directory) / MANIFEST
            try:
                self._get(f"{found.place}/{MANIFEST}", path)
            except FileNotFoundError as error:
                raise self._unreachable(error) from error
            return hash_file(path)

    def open(self, found: Found, *, allow_native: bool) -> Bundle:
        """See `Store.open`."""
        try:
            self._cache.mkdir(parents=True, exist_ok=True)
            self._tidy()
            with tempfile.TemporaryDirectory(prefix=PARTIAL, dir=self._cache, ignore_cleanup_errors=True) as partial:
                return self._opened(found, Path(partial) / found.name / str(found.version), allow_native)
        except OSError as error:
            raise StoreUnreachable(f"{self._cache}: {error.strerror or error}") from error

    def _opened(self, found: Found, partial: Path, allow_native: bool) -> Bundle:
        partial.mkdir(parents=True)
        self._bring(found, MANIFEST, partial)
        manifest, digest = read_manifest(partial)
        kept = self._cache / digest / found.name / str(found.version)
        if kept.is_dir():
            os.utime(self._cache / digest)
            with suppress(BundleError):  # its bytes are not any more what they were when it was put there
                return read_bundle(kept, allow_native=allow_native)
        for name in manifest.files:
            self._bring(found, name, partial)
        bundle = read_bundle(partial, allow_native=allow_native)
        _put(partial, kept)
        return replace(bundle, directory=kept)

    def _bring(self, found: Found, name: str, partial: Path) -> None:
        (partial / name).parent.mkdir(parents=True, exist_ok=True)
        try:
            self._get(f"{found.place}/{name}", partial / name)
        except FileNotFoundError as error:
            reason = "the file is missing" if name == MANIFEST else "listed in the manifest, but missing in the store"
            raise refused(partial, name, reason) from error

    def _found(self, name: str, version: int, place: str) -> Found:
        files = list(self._files(place, DEEPEST))
        stamp = stamp_of((path, row.get("size"), *_marks(row)) for path, row in files)
        found = Found(name, version, place, stamp)
        if any(path == f"{place}/{MANIFEST}" and not _marks(row) for path, row in files):
            return replace(found, stamp=stamp_of([(stamp, self.digest(found))]))
        return found

    def _folders(self, place: str) -> list[str]:
        names = [path.rpartition("/")[2] for path, row in self._list(place) if row["type"] == "directory"]
        return [name for name in names if not name.startswith((".", "_"))]

    def _files(self, place: str, depth: int) -> Iterator[tuple[str, Row]]:
        for path, row in self._list(place):
            if row["type"] != "directory":
                yield path, row
            elif depth:
                yield from self._files(path, depth - 1)

    def _list(self, place: str) -> list[tuple[str, Row]]:
        """What lies right below a place: path relative to the root, and what the file system tells.

        (`find` of fsspec leaves out what it cannot read. A store that is half there must not look like a smaller one.)
        """
        try:
            system, root = self._system
            rows = system.ls(f"{root}/{place}".rstrip("/"), detail=True)
        except Exception as error:  # each file system has errors of its own
            raise self._unreachable(error) from error
        paths = [str(row["name"]).removeprefix(root).strip("/") for row in rows]
        return [(path, row) for path, row in zip(paths, rows, strict=True) if path != place]

    def _get(self, path: str, to: Path) -> None:
        try:
            system, root = self._system
            system.get_file(f"{root}/{path}", str(to))
        except FileNotFoundError:
            raise
        except Exception as error:
            raise self._unreachable(error) from error

    @cached_property
    def _system(self) -> tuple[Any, str]:
        """The file system and the root's path in it. Not one that others share: it must not remember listings."""
        system, root = fsspec.core.url_to_fs(self._url, use_listings_cache=False, skip_instance_cache=True)
        return system, root.rstrip("/")

    def _unreachable(self, error: Exception) -> StoreUnreachable:
        return StoreUnreachable(f"{self.where}: {type(error).__name__}: {error}".replace(self._url, self.where))

    def _tidy(self) -> None:
        """Remove downloads that a process has left behind, and bundles that nobody has opened for long."""
        now = time.time()
        for path in self._cache.iterdir():
            longest = STALE_S if path.name.startswith(PARTIAL) else UNUSED_S
            if now - path.stat().st_mtime > longest:
                shutil.rmtree(path, ignore_errors=True)


def _marks(row: Row) -> tuple[str, ...]:
    return tuple(str(row[mark]) for mark in MARKS if row.get(mark))


def _put(partial: Path, kept: Path) -> None:
    """Give a verified bundle its name, in place of whatever is there: the same from a faster process, or a broken one.

    Those who have files of the other open keep them.
    """
    kept.parent.mkdir(parents=True, exist_ok=True)
    if kept.exists():
        kept.rename(partial.with_name("replaced"))
    partial.rename(kept)
