"""Small answers."""

from __future__ import annotations

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import Receive, Scope, Send

from brood.dataplane.offload import Offload
from brood.frontends.http.coding import DEFLATE_BYTE_S, LEAST_BYTES, compressed, wanted_coding
from brood.frontends.http.heads import heads_of
from brood.frontends.http.render import Headers

REPLAYED = (b"idempotent-replayed", b"true")
VARY = (b"vary", b"Accept-Encoding")


def json_response(view: BaseModel, status: int = 200) -> Response:
    """A view as JSON."""
    return Response(view.model_dump_json(), status, media_type="application/json")


async def coded(offload: Offload, request: Request, content: bytes, media_type: str, headers: Headers = ()) -> Whole:
    """An answer, compressed if the caller can read that and it pays."""
    headers = (*headers, VARY)
    coding = None
    if len(content) >= LEAST_BYTES:
        coding = wanted_coding(heads_of(request.scope).text(b"accept-encoding"))
    if coding is not None:
        smaller = await offload.run(DEFLATE_BYTE_S * len(content), compressed, content, coding)
        if smaller is not None:
            content, headers = smaller, (*headers, (b"content-encoding", coding.encode()))
    return Whole(content, media_type, headers)


class Whole:
    """An answer that is all there, as an application (ASGI 3); Starlette's own takes five times longer to be made.

    Args:
        content: its body.
        media_type: of that.
        headers: more of them.
    """

    __slots__ = ("_content", "_headers", "_media_type")

    def __init__(self, content: bytes, media_type: str, headers: Headers = ()) -> None:
        self._content, self._media_type, self._headers = content, media_type, headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Write it."""
        size, kind = (b"content-length", b"%d" % len(self._content)), (b"content-type", self._media_type.encode())
        await send({"type": "http.response.start", "status": 200, "headers": (*self._headers, size, kind)})
        await send({"type": "http.response.body", "body": self._content})


async def root(_: Request) -> Response:
    """Whoever comes without an address is shown the documents."""
    return RedirectResponse("/docs")
