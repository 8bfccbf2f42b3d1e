"""Who is let in: from settings to the gate, the certificates, and the check on the port of the metrics."""

from __future__ import annotations

import time

from brood.access.gate import Gate
from brood.access.keyring import Keyring
from brood.frontends.http.hosts import check_host
from brood.frontends.tls import Tls
from brood.observe.scrapes import Check
from brood.settings import Settings


def gate_of(settings: Settings) -> Gate:
    """The gate; each process has its own.

    Raises:
        KeysFileError: the file of keys cannot be read.
    """
    keys = None if settings.keys_file is None else Keyring(settings.keys_file, time.monotonic)
    return Gate(keys, settings.max_concurrent)


def tls_of(settings: Settings) -> Tls | None:
    """The certificates; None: there are none."""
    if settings.tls_cert is None or settings.tls_key is None:
        return None
    return Tls(settings.tls_cert, settings.tls_key, settings.tls_client_ca)


def scrape_check(gate: Gate, hosts: frozenset[str] | None) -> Check:
    """Lets a scrape pass that is meant for this server, with a key that has the scope "metrics" if any are asked for.

    Args:
        gate: of this process.
        hosts: names that the server answers to; None: any.
    """

    def check(host: str | None, authorization: str | None, api_key: str | None) -> None:
        if hosts is not None:
            check_host(host, hosts)
        gate.enter("metrics", authorization, api_key)

    return check
