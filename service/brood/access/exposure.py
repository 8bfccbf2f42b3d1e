"""Whom an address lets in, and when a server may listen there."""

from __future__ import annotations

from ipaddress import ip_address


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address. Of a name other than localhost nobody knows."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def complaint(host: str) -> str:
    """Why a server without keys does not start on an address that others reach, and the three ways out."""
    return (
        f"host {host} can be reached by others, and without keys everybody could use this server. Three ways out: "
        "make a key with `brood keys create NAME --keys-file FILE` and start with --keys-file FILE; "
        "or listen on this machine alone, with --host 127.0.0.1; "
        "or start with --insecure, where something else keeps others out"
    )
