"""Who is let in, and with how much: from settings to the gate, the limits, the certificates, the check of scrapes."""

from __future__ import annotations

import time
from pathlib import Path

from brood.access.gate import Gate
from brood.access.keyring import Keyring
from brood.dataplane import Limits, ReplayLimits
from brood.dataplane.observer import RequestObserver
from brood.frontends.http.hosts import check_host, own_names
from brood.frontends.tls import Tls, server_context
from brood.observe.exporter import Exporter
from brood.observe.scrapes import Check
from brood.observe.spans import TracedRequests, collector
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


def limits_of(settings: Settings) -> Limits:
    """The bounds on requests."""
    return Limits(
        max_n=settings.max_n,
        max_body_bytes=settings.max_body_bytes,
        body_idle_s=settings.body_idle_s,
        body_total_s=settings.body_total_s,
        replays=ReplayLimits(settings.replay_keep_s, settings.replay_max_count, settings.replay_max_bytes),
    )


def traced(observer: RequestObserver, settings: Settings) -> TracedRequests | None:
    """An observer that also sends traces; None: nobody wants any.

    Raises:
        TracingUnavailable: what sends them is not installed.
    """
    if settings.traces_endpoint is None:
        return None
    return TracedRequests(observer, collector(settings.traces_endpoint), settings.traces_ratio)


def check_entrance(settings: Settings) -> None:
    """Look at the keys and the certificate before anything is started.

    Raises:
        KeysFileError, TlsError: they cannot be used.
    """
    gate_of(settings)
    if (tls := tls_of(settings)) is not None:
        server_context(tls)


def exporter_of(settings: Settings, directory: Path) -> Exporter:
    """The exporter of this node, on the port that the settings name.

    Args:
        settings: of the server.
        directory: where the processes of this node count.

    Raises:
        OSError: the port is taken.
        KeysFileError, TlsError: the keys or the certificate cannot be used.
    """
    tls = tls_of(settings)
    check = scrape_check(gate_of(settings), own_names(settings.host, settings.host_names))
    return Exporter(
        settings.host, settings.metrics_port, directory, check, None if tls is None else server_context(tls)
    )


def scrape_check(gate: Gate, hosts: frozenset[str] | None) -> Check:
    """Lets a scrape pass that is meant for this server, with a key that has the scope "metrics" if any are asked for.

    Args:
        gate: of this process.
        hosts: names that the server answers to; None: any.
    """

    def check(host: str | None, authorization: str | None, api_key: str | None) -> None:
        if hosts is not None:
            check_host([] if host is None else [host], hosts)
        gate.enter("metrics", authorization, api_key)

    return check
