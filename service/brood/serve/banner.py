"""What ``brood serve`` says on standard output."""

from __future__ import annotations

from typing import TextIO

from brood import __version__
from brood.access.exposure import is_loopback
from brood.protocol.models import ModelStatus
from brood.serve.front import NodeStatus, reachable
from brood.settings import Settings


class Banner:
    """Says the few things a person at the terminal waits for."""

    def __init__(self, settings: Settings, out: TextIO) -> None:
        self._settings, self._out = settings, out

    def starting(self) -> None:
        """The first line."""
        self._say(f"brood {__version__}: starting Ray Serve, loading {self._settings.models or 'the shipped models'}")

    def model(self, status: ModelStatus) -> None:
        """One line a model, as soon as it is ready or has failed."""
        outcome = status.state if status.state == "ready" else f"{status.state}: {status.reason}"
        self._say(f"  {status.name} {status.version}: {outcome}")

    def ready(self, node: NodeStatus, seconds: float) -> None:
        """Where everything is, and a command to paste."""
        host = _in_url(reachable(node.host))
        scheme = "http" if self._settings.tls_cert is None else "https"
        url = f"{scheme}://{host}:{self._settings.http_port}"
        names = [status.name for status in node.models if status.state == "ready"]
        self._say(f"{len(names)} of {len(node.models)} models ready after {seconds:.1f} s; Ctrl-C stops")
        self._say(f"  HTTP     {url}  (documented at /docs)")
        self._say(f"  gRPC     {host}:{self._settings.grpc_port}")
        self._say(f"  metrics  {scheme}://{host}:{self._settings.metrics_port}/metrics")
        self._entrance()
        if names:
            key = "" if self._settings.keys_file is None else '-H "authorization: Bearer $KEY" '
            body = f'{{"model": "{names[0]}", "seed": 7}}'
            self._say("Try:")
            self._say(
                f"  curl -s {url}/v1/generations -H 'content-type: application/json' -H 'accept: image/png' "
                f"{key}-d '{body}' -o sample.png"
            )

    def _entrance(self) -> None:
        """Who is let in, where that is not simply everybody on this machine."""
        settings, local = self._settings, is_loopback(self._settings.host)
        if settings.keys_file is not None:
            self._say(f"  keys     {settings.keys_file}")
            if settings.tls_cert is None and not local:
                self._say(
                    "  warning: keys travel readable; give --tls-cert and --tls-key, or put a proxy with TLS in front"
                )
        elif not local:
            self._say("  warning: --insecure: whoever reaches this address may use the server")

    def stopping(self) -> None:
        """After the wish to stop."""
        self._say("stopping")

    def stopped(self) -> None:
        """The last line."""
        self._say("stopped")

    def _say(self, line: str) -> None:
        print(line, file=self._out, flush=True)


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
