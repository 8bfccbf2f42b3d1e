"""The files of a bundle: its manifest as text, and the hashes of the files it lists."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from pydantic import ValidationError

from brood.protocol.errors import BundleError, show
from brood.protocol.manifest import FORMAT, Manifest

MANIFEST = "manifest.json"
MANIFEST_LIMIT = 2**20  # bytes


def write_manifest(directory: Path, manifest: Manifest) -> Path:
    """Write a manifest in its one canonical form: fields as declared, what has its default value left out.

    The order of keys is kept: a graph's inputs are passed by position to runtimes that know no names.
    """
    words = manifest.model_dump(mode="json", exclude_defaults=True)
    path = directory / MANIFEST
    path.write_text(json.dumps(words, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def hash_file(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def called(directory: Path) -> str:
    """A bundle as messages name it: ``NAME/VERSION``."""
    return "/".join(directory.absolute().parts[-2:])


def refused(directory: Path, part: str, reason: str) -> BundleError:
    """The usual complaint: names the bundle, the file or key, and what is wrong."""
    return BundleError(f"{called(directory)}: {part}: {reason}", field=part)


def read_manifest(directory: Path) -> tuple[Manifest, str]:
    """The manifest of a bundle directory and the SHA-256 of its bytes.

    Raises:
        BundleError: it is missing, too large, not JSON, of another format, or says something it must not say.
    """
    path = directory / MANIFEST
    if not path.is_file():
        raise refused(directory, MANIFEST, "the file is missing")
    with path.open("rb") as file:
        content = file.read(MANIFEST_LIMIT + 1)
    if len(content) > MANIFEST_LIMIT:
        raise refused(directory, MANIFEST, f"larger than {MANIFEST_LIMIT} bytes")
    _check_format(directory, content)
    try:
        manifest = Manifest.model_validate_json(content, strict=True)
    except ValidationError as error:
        raise refused(directory, *_first(error)) from error
    return manifest, hashlib.sha256(content).hexdigest()


def _check_format(directory: Path, content: bytes) -> None:
    """Refuse other formats before anything else: all other complaints would mislead."""
    try:
        words = json.loads(content, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise refused(directory, MANIFEST, f"not JSON: {error}") from error
    found = words.get("format") if isinstance(words, dict) else None
    if found != FORMAT:
        raise refused(directory, "format", f"{show(found)} is not supported; supported: {show(FORMAT)}")


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


def _first(error: ValidationError) -> tuple[str, str]:
    """The first thing wrong with a manifest: (key, reason)."""
    first = error.errors(include_url=False)[0]
    key = ".".join(str(part) for part in first["loc"]) or MANIFEST
    if first["type"] == "extra_forbidden":
        return key, "unknown key"
    if first["type"] == "missing":
        return key, "missing key"
    reason = first["msg"].removeprefix("Value error, ")
    return key, reason if first["type"] == "value_error" else f"{show(first['input'])} is not allowed; {reason}"


def inside(directory: Path, name: str) -> Path:
    """The path of a listed file, if it exists and does not leave the directory, by a symbolic link either.

    Raises:
        BundleError: it is missing, is not a file, or lies elsewhere.
    """
    path = (directory / name).resolve()
    if not path.is_relative_to(directory.resolve()):
        raise refused(directory, name, "the path leaves the bundle's directory")
    if not path.is_file():
        raise refused(directory, name, "listed in the manifest, but missing")
    return path


def verify_files(directory: Path, manifest: Manifest) -> None:
    """Hold every listed file against its hash.

    Raises:
        BundleError: naming the first file that is missing, lies elsewhere, or has other bytes than listed.
    """
    for name, listed in manifest.files.items():
        if hash_file(inside(directory, name)) != listed:
            raise refused(directory, name, "its bytes are not those listed in the manifest (SHA-256 differs)")
