"""Lets those HTTP requests in that may: their key is looked at before anything of their body is read."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from brood.access.gate import Gate
from brood.dataplane.plane import DataPlane
from brood.frontends.http.heads import heads_of
from brood.frontends.http.verbs import verb_of
from brood.protocol.errors import BroodError

PROTOCOL = "http"


class Guard:
    """Stands in front of an application; a place is held until the answer has ended, also when it is a stream.

    Raises:
        BroodError: as `Gate.admitted` raises; told to the data plane's observer.
    """

    def __init__(self, app: ASGIApp, gate: Gate, plane: DataPlane) -> None:
        self._app, self._gate, self._plane = app, gate, plane

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request (ASGI 3)."""
        heads = heads_of(scope)
        try:
            verb = verb_of(scope["method"], scope["path"])
            admitted = self._gate.admitted(verb, heads.text(b"authorization"), heads.text(b"x-api-key"))
            admitted.__enter__()  # what the application raises inside is not the gate's refusal
        except BroodError as error:
            self._plane.refused(error, PROTOCOL)
            raise
        try:
            await self._app(scope, receive, send)
        finally:
            admitted.__exit__()
