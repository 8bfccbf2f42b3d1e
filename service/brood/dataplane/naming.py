"""Names that lead nowhere: the complaint says what there is and what was probably meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from brood.protocol.errors import show

LONGEST_NAME = 64  # longer ones are no slips of the pen, and comparing them would take time
MOST_NAMES = 40


def unknown(field: str, name: str, offered: Iterable[str]) -> str:
    """The sentence for a name that is not among those offered."""
    names = list(offered)
    close = get_close_matches(name, names, n=1) if len(name) <= LONGEST_NAME else []
    hint = f" (did you mean {show(close[0])}?)" if close else ""
    return f"{field}: there is no {show(name)} here{hint}; there are: {listed(names)}"


def listed(names: list[str]) -> str:
    """Names in one line, not endlessly many."""
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return (", ".join(names[:MOST_NAMES]) or "none") + more
