"""Request ids: the caller's own where it is fit to be repeated in headers and logs, else ours."""

from __future__ import annotations

import os
import re

PATTERN = re.compile(r"[!-~]{1,128}")  # printable ASCII, no spaces


def new_request_id() -> str:
    """An id that no other request has."""
    return os.urandom(16).hex()


def request_id_of(given: str | None) -> str:
    """The caller's id if it is fit, else a new one."""
    return given if given is not None and PATTERN.fullmatch(given) else new_request_id()
