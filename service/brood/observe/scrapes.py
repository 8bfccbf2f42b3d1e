"""The HTTP server of the exporter: a thread for each scrape, a check before it, TLS if there are certificates."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterable
from socketserver import ThreadingMixIn
from ssl import SSLContext
from threading import Thread
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import CollectorRegistry, make_wsgi_app

from brood.protocol.errors import BroodError, Unauthenticated, row_of

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

# Host, Authorization and X-API-Key of a request, None where absent; raises BroodError to refuse it.
Check = Callable[[str | None, str | None, str | None], None]
IDLE_S = 10.0  # after so long without a byte, a connection is given up


class _Handler(WSGIRequestHandler):
    """Logs nothing, and waits for nobody for ever."""

    timeout = IDLE_S

    def log_message(self, format: str, *args: Any) -> None:
        """Scrapes are no news."""


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    allow_reuse_port = False

    def __init__(self, family: socket.AddressFamily, address: tuple[str, int], tls: SSLContext | None) -> None:
        self.address_family = family
        super().__init__(address, _Handler)
        if tls is not None:
            # Each thread shakes hands on its own, so that a caller who does not holds up nobody.
            self.socket = tls.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def server_bind(self) -> None:
        """Without asking a name server for our name, which may take long."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])
        self.setup_environ()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Callers that leave, or cannot shake hands, are no errors of ours."""


class ScrapeServer:
    """Serves a registry until it is closed.

    Args:
        host: address to listen on.
        port: 0 for any free one; the attribute ``port`` tells which.
        registry: what is told.
        check: refuses requests by raising; None: everybody may read.
        tls: None: in the clear.

    Raises:
        OSError: the port is taken, or this machine has no such address.
    """

    def __init__(
        self, host: str, port: int, registry: CollectorRegistry, check: Check | None, tls: SSLContext | None
    ) -> None:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        self._server = _Server(family, (str(address[0]), int(address[1])), tls)
        app: WSGIApplication = make_wsgi_app(registry)
        self._server.set_app(app if check is None else checked(app, check))
        self.port = self._server.server_port
        self._thread = Thread(target=self._server.serve_forever, name="brood-metrics", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Free the port."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def checked(app: WSGIApplication, check: Check) -> WSGIApplication:
    """An application (PEP 3333) behind a check."""

    def guarded(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        try:
            check(*(environ.get(f"HTTP_{name}") for name in ("HOST", "AUTHORIZATION", "X_API_KEY")))
        except BroodError as error:
            return refused(error, start_response)
        return app(environ, start_response)

    return guarded


def refused(error: BroodError, start_response: StartResponse) -> Iterable[bytes]:
    """The answer to a request that is refused, in the words of all our errors."""
    row = row_of(error)
    headers = [("Content-Type", "application/json")]
    if isinstance(error, Unauthenticated):
        headers.append(("WWW-Authenticate", 'Bearer realm="brood"'))
    start_response(f"{row.http} {row.code}", headers)
    return [json.dumps({"error": {"code": row.code, "message": error.message}}).encode()]
