"""How much of a chunk may be on its way unread: who reads one request slowly must not stop the link for others."""

from __future__ import annotations

WINDOW = 4 * 2**20  # bytes
EVENT_WEIGHT = 256  # of any event, besides the bytes of its arrays
CREDIT = WINDOW // 4  # read since the last credit: time for another
LINK_BYTES = 4 * WINDOW  # that wait for a link, of all chunks; when there are more, all of them wait


def weight_of(nbytes: int) -> int:
    """What an event with arrays of so many bytes takes of the window."""
    return EVENT_WEIGHT + nbytes
