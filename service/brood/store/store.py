"""The store: a directory of bundles, ``ROOT/NAME/VERSION/``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from brood.protocol.errors import BundleError
from brood.protocol.manifest import Manifest
from brood.store.files import MANIFEST, read_manifest, refused, verify_files, write_manifest
from brood.store.golden import GOLDEN, GoldenRun, read_golden

__all__ = ["Bundle", "BundleRef", "find_bundles", "read_bundle", "write_manifest", "zoo_root"]

NATIVE = frozenset({"torchscript", "pt2"})  # runtimes whose files are code, not data


@dataclass(frozen=True, slots=True)
class BundleRef:
    """A place where a bundle seems to lie; nothing has been read yet."""

    name: str
    version: int  # 0: the directory is not called like a version; reading it says so
    directory: Path


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle whose manifest is understood and whose files are the listed ones."""

    directory: Path
    manifest: Manifest
    digest: str  # SHA-256 of the manifest's bytes, and so of everything it lists

    def golden(self) -> tuple[GoldenRun, ...]:
        """Its recorded runs.

        Raises:
            BundleError: they are unreadable or incomplete.
        """
        return read_golden(self.directory, self.manifest)


def zoo_root() -> Path:
    """The directory of the bundles that ship with brood."""
    return Path(__file__).parents[1] / "zoo"


def find_bundles(root: Path) -> list[BundleRef]:
    """All places in a store where a bundle seems to lie, in order of name and version.

    Args:
        root: a store (``NAME/VERSION`` below it), one model's directory, or one bundle's directory.

    Raises:
        BundleError: there is no such directory, or no bundle in it.
    """
    root = root.absolute()
    if not root.is_dir():
        raise BundleError(f"{root}: no such directory")
    found = sorted(_places(root), key=lambda ref: (ref.name, ref.version, ref.directory))
    if not found:
        raise BundleError(f"{root}: no bundles here; expected NAME/VERSION/{MANIFEST} below it")
    return found


def _places(root: Path) -> Iterator[BundleRef]:
    if (root / MANIFEST).is_file():
        yield _place(root)
    elif any((version / MANIFEST).is_file() for version in _folders(root) if version.name.isdecimal()):
        yield from _versions(root)
    else:
        for name in _folders(root):
            if (name / MANIFEST).is_file():  # misplaced: reading it says where it belongs
                yield BundleRef(name.name, 0, name)
            yield from _versions(name)


def _versions(model: Path) -> Iterator[BundleRef]:
    """A numbered directory counts even without a manifest: it is better refused by name than overlooked."""
    for folder in _folders(model):
        if folder.name.isdecimal() or (folder / MANIFEST).is_file():
            yield _place(folder)


def _place(directory: Path) -> BundleRef:
    version = int(directory.name) if directory.name.isdecimal() else 0
    return BundleRef(directory.parent.name, version, directory)


def _folders(directory: Path) -> list[Path]:
    return [path for path in directory.iterdir() if path.is_dir() and not path.name.startswith((".", "_"))]


def read_bundle(directory: Path, *, allow_native: bool = False) -> Bundle:
    """Read a bundle and verify it: manifest, place, paths, hashes.

    Args:
        directory: ``NAME/VERSION``.
        allow_native: read bundles that contain native code even if they do not ship with brood.

    Raises:
        BundleError: the bundle cannot be trusted or understood; the message names the bundle, the file or key, and
            what is wrong.
    """
    directory = directory.absolute()
    manifest, digest = read_manifest(directory)
    _check_place(directory, manifest)
    if not allow_native and not directory.resolve().is_relative_to(zoo_root().resolve()):
        _check_native(directory, manifest)
    if manifest.golden and GOLDEN not in manifest.files:
        raise refused(directory, f"files.{GOLDEN}", "missing key: the manifest promises golden samples")
    verify_files(directory, manifest)
    return Bundle(directory, manifest, digest)


def _check_place(directory: Path, manifest: Manifest) -> None:
    """The directory's names are what the bundle is found by, so they must be its own."""
    if directory.parent.name != manifest.name:
        raise refused(directory, "name", f"{manifest.name!r}, but it lies in {directory.parent.name!r}")
    if directory.name != str(manifest.version):
        raise refused(directory, "version", f"{manifest.version}, but it lies in {directory.name!r}")


def _check_native(directory: Path, manifest: Manifest) -> None:
    for name, graph in manifest.graphs.items():
        if graph.runtime in NATIVE:
            raise refused(
                directory,
                f"graphs.{name}.runtime",
                f"{graph.runtime!r} files are native code; outside the shipped bundles they need allow_native=true",
            )
