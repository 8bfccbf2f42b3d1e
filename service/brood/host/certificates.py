"""Where certificates are kept: those that ship with brood, and a directory of this machine's own.

A certificate saves time and is never needed: whatever is wrong with a file or the directory is told in the log, and the
server starts.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from brood.host.certificate import Certificate
from brood.host.conditions import Conditions
from brood.store.store import zoo_root

FOLDER = "certificates"
log = logging.getLogger(__name__)


class Certificates:
    """Finds and keeps certificates.

    Args:
        cache_dir: what is kept lies in its folder ``certificates``, made when needed; None: nothing is kept.
        shipped: further certificates, looked at first and never written.
    """

    def __init__(self, cache_dir: Path | None = None, shipped: Path | None = None) -> None:
        self._own = None if cache_dir is None else cache_dir / FOLDER
        self._shipped = zoo_root() / FOLDER if shipped is None else shipped

    def find(self, conditions: Conditions) -> Iterator[Certificate]:
        """Those made under these conditions."""
        for folder in (self._shipped, self._own):
            found = None if folder is None else _read(_file(folder, conditions), conditions)
            if found is not None:
                yield found

    def keep(self, certificate: Certificate) -> None:
        """Write one down, whole or not at all."""
        if self._own is None:
            return
        try:
            write_certificate(self._own, certificate)
        except OSError as error:
            log.warning("the certificate of %s cannot be kept: %s", certificate.conditions.model, error)


def write_certificate(folder: Path, certificate: Certificate) -> Path:
    """Write a certificate into a folder, which is made if it is not there.

    Raises:
        OSError: the folder cannot be made or written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = _file(folder, certificate.conditions)
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        part.write_text(certificate.model_dump_json(indent=1) + "\n", encoding="utf-8")
        part.replace(path)  # readers see the old file or the new one
    finally:
        part.unlink(missing_ok=True)
    return path


def _file(folder: Path, conditions: Conditions) -> Path:
    return folder / f"{conditions.key}.json"


def _read(path: Path, conditions: Conditions) -> Certificate | None:
    try:
        found = Certificate.model_validate_json(path.read_bytes())
        if found.conditions != conditions:
            raise ValueError(f"it is of other conditions: {found.conditions}")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except ValidationError as error:
        log.warning("certificate %s is ignored: %s", path, error.errors()[0]["msg"])
        return None
    except (OSError, ValueError) as error:
        log.warning("certificate %s is ignored: %s", path, error)
        return None
    return found
