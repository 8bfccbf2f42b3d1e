"""TLS of the servers' ports, by certificate files."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

import grpc


class TlsError(Exception):
    """A certificate, its key or the authority cannot be used; the message is one line."""


@dataclass(frozen=True, slots=True)
class Tls:
    """Files in PEM form."""

    cert: Path  # the server's certificate, followed by those between it and a root
    key: Path  # its private key, not encrypted
    client_ca: Path | None = None  # if given, callers must show a certificate of this authority


def server_context(tls: Tls) -> ssl.SSLContext:
    """What a listening socket needs: TLS 1.2 or newer.

    Raises:
        TlsError: one of the files cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        # Without a password, OpenSSL would ask the terminal for one.
        context.load_cert_chain(tls.cert, tls.key, password="")
    except OSError as error:  # of which SSLError is a kind
        raise TlsError(f"tls: {tls.cert} with {tls.key}: {_reason(error)}") from error
    if tls.client_ca is not None:
        try:
            context.load_verify_locations(tls.client_ca)
        except OSError as error:
            raise TlsError(f"tls: {tls.client_ca}: {_reason(error)}") from error
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def grpc_credentials(tls: Tls) -> grpc.ServerCredentials:
    """The same for gRPC.

    Raises:
        TlsError: one of the files cannot be used; gRPC itself would tell no reasons.
    """
    server_context(tls)
    roots = tls.client_ca.read_bytes() if tls.client_ca is not None else None
    pair = (tls.key.read_bytes(), tls.cert.read_bytes())
    return grpc.ssl_server_credentials([pair], roots, require_client_auth=roots is not None)


def _reason(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return f"not a certificate and its unencrypted key in PEM form ({error.reason or 'unreadable'})"
    return error.strerror or str(error)
