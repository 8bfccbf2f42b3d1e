"""Which Host headers are for this server (RFC 9110 section 7.2), and whose pages may send to it (RFC 6454)."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from functools import lru_cache

from brood.access.exposure import is_loopback
from brood.protocol.errors import HostRefused, show

LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})
FORM = re.compile(r"(\[[0-9a-f:.]+\]|[^:\[\]]+)(:[0-9]*)?")  # name or address, then perhaps a port


def own_names(host: str, more: Collection[str]) -> frozenset[str] | None:
    """The names that a server on an address answers to; None: any, because others reach it under names of theirs."""
    if not is_loopback(host):
        return None
    return LOOPBACK | {in_authority(host), *(name.lower() for name in more)}


def in_authority(host: str) -> str:
    """A host as it stands in front of ``:port``."""
    return f"[{host}]" if ":" in host else host.lower()


def check_host(given: Sequence[str], names: Collection[str]) -> None:
    """Let a request pass whose one Host header has one of the names, with any port.

    Raises:
        HostRefused: it has another, there is none, or there are several (RFC 9112 section 3.2).
    """
    if len(given) != 1:
        raise _refused("Host", f"{len(given) or 'none'} sent", names)
    if _name(given[0]) not in names:
        raise _refused("Host", f"{show(given[0])} is not a name of this server", names)


def check_origin(given: Sequence[str], names: Collection[str]) -> None:
    """Let a request pass that no page of another host makes a browser send: some it sends without asking first.

    Raises:
        HostRefused: a page of another host does.
    """
    for origin in given:
        if _name(origin.partition("://")[2]) not in names:
            raise _refused("Origin", f"{show(origin)} is not this server", names)


@lru_cache(64)
def _name(authority: str) -> str | None:
    parts = FORM.fullmatch(authority.lower())
    return None if parts is None else parts[1]


def _refused(field: str, found: str, names: Collection[str]) -> HostRefused:
    return HostRefused(f"{field}: {found}; allowed: one of {', '.join(sorted(names))}", field=field)
