"""Where a server is, and what every request to it carries."""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

FORMS = "http://HOST:PORT, https://HOST:PORT, grpc://HOST:PORT, grpcs://HOST:PORT"
NAME = re.compile(r"[a-z0-9_.-]+")  # of a header that metadata of gRPC can have as well
GRACE_S = 1.0  # beyond a deadline, so that the server's own words about it arrive


@dataclass(frozen=True, slots=True)
class Tls:
    """Files in PEM form, for connections with TLS; None: the usual roots, no certificate."""

    roots: Path | None
    cert: Path | None
    key: Path | None

    def context(self) -> ssl.SSLContext:
        """For HTTP.

        Raises:
            OSError: a file cannot be read, or does not hold what it should.
        """
        context = ssl.create_default_context(cafile=self.roots)
        if self.cert is not None:
            context.load_cert_chain(self.cert, self.key)
        return context

    def contents(self) -> tuple[bytes | None, bytes | None, bytes | None]:
        """For gRPC: roots, key, certificate.

        Raises:
            OSError: a file cannot be read.
        """
        roots, key, cert = (None if file is None else file.read_bytes() for file in (self.roots, self.key, self.cert))
        return roots, key, cert


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A server."""

    url: str  # as given, without a slash at the end
    kind: Literal["http", "grpc"]
    target: str  # HOST:PORT
    tls: Tls | None
    headers: Mapping[str, str] = field(repr=False)  # names in lower case; may hold the API key


def endpoint_of(
    url: str,
    api_key: str | None = None,
    headers: Mapping[str, str] | None = None,
    tls_roots: str | PathLike[str] | None = None,
    tls_cert: tuple[str | PathLike[str], str | PathLike[str]] | None = None,
) -> Endpoint:
    """The server that a URL means.

    Raises:
        ValueError: the URL has another form, a header or the key cannot be sent, or files are given for a connection
            without TLS.
    """
    parts = urlsplit(url)
    kind, secure = parts.scheme.removesuffix("s"), parts.scheme.endswith("s")
    if kind not in ("http", "grpc") or not parts.netloc or (kind == "grpc" and parts.path.strip("/")):
        raise ValueError(f"url: {url!r} is not allowed; allowed: {FORMS}")
    for name, given in (("tls_roots", tls_roots), ("tls_cert", tls_cert)):
        if given is not None and not secure:
            raise ValueError(f"{name}: given with {url!r}; allowed: with https:// and grpcs://")
    carried = {name.lower(): value for name, value in (headers or {}).items()}
    for name, value in carried.items():
        if not NAME.fullmatch(name) or not _printable(value):
            raise ValueError(f"headers: {name!r} is not allowed so; allowed: [A-Za-z0-9_.-] in names, printable ASCII")
    if api_key is not None:
        if not _printable(api_key):  # not shown: it is a secret
            raise ValueError("api_key: this one is not allowed; allowed: printable ASCII")
        carried["authorization"] = f"Bearer {api_key}"
    cert, key = (None, None) if tls_cert is None else (Path(tls_cert[0]), Path(tls_cert[1]))
    tls = Tls(None if tls_roots is None else Path(tls_roots), cert, key) if secure else None
    return Endpoint(url.rstrip("/"), "http" if kind == "http" else "grpc", parts.netloc, tls, carried)


def _printable(value: object) -> bool:
    return isinstance(value, str) and value.isascii() and value.isprintable()


def patience_s(left_s: float | None) -> float | None:
    """How long to wait for an answer that the server owes within ``left_s``."""
    return None if left_s is None else max(left_s, 0.0) + GRACE_S
