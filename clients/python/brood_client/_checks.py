"""What can be said of a value before it is sent: that every transport can carry it. What it means, the server knows."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from brood_client._errors import invalid

WHOLE = range(-(2**63), 2**63)
REQUEST_ID = re.compile(r"[!-~]{1,128}")
IDEMPOTENCY_KEY = re.compile(r"[!-~]{1,255}")
SHOWN = 80  # characters of a value in a message


def check_whole(field: str, value: object) -> None:
    """Raises InvalidArgument if it is no integer, or one of more than 64 bits."""
    if not isinstance(value, int) or isinstance(value, bool) or value not in WHOLE:
        raise invalid(field, told(value), "an integer of at most 64 bits")


def check_text(field: str, value: object) -> None:
    """Raises InvalidArgument if it is no string."""
    if not isinstance(value, str):
        raise invalid(field, told(value), "a string")


def check_names(field: str, value: object, allowed: str) -> None:
    """Raises InvalidArgument if it is no mapping from strings to what is ``allowed``."""
    if not isinstance(value, Mapping):
        raise invalid(field, told(value), f"a mapping from names to {allowed}")
    for name in value:
        check_text(f"a name in {field}", name)


def check_scalar(field: str, value: object) -> None:
    """Raises InvalidArgument if it is none of what a parameter can be."""
    if isinstance(value, int) and not isinstance(value, bool):
        check_whole(field, value)
    elif not isinstance(value, bool | float | str):
        raise invalid(field, told(value), "a finite number, true, false, or a string")


def check_request_id(field: str, value: object) -> None:
    """Raises InvalidArgument if it cannot stand in a header."""
    if not isinstance(value, str) or not REQUEST_ID.fullmatch(value):
        raise invalid(field, told(value), "1 to 128 printable ASCII characters without spaces")


def check_idempotency_key(value: object) -> None:
    """Raises InvalidArgument, in the server's words, if it is none."""
    if not isinstance(value, str) or not IDEMPOTENCY_KEY.fullmatch(value):
        raise invalid("Idempotency-Key", told(value), "1 to 255 printable ASCII characters without spaces")


def told(value: object) -> str:
    """A value as it goes into a message: JSON where possible."""
    try:
        text = json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError):
        text = repr(value)
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"
