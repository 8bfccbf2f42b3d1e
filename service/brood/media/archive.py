"""Zip archives (APPNOTE 6.3.3) whose bytes depend on nothing but their content."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable

from brood.media.npy import Bytes

BEGINNING = (1980, 1, 1, 0, 0, 0)  # the earliest time that the format can tell


def write_zip(files: Iterable[tuple[str, Bytes]]) -> bytes:
    """An archive of (name, content), in order, stored as they are: pictures are compressed already."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as writer:
        for name, content in files:
            writer.writestr(zipfile.ZipInfo(name, BEGINNING), content)
    return archive.getvalue()
