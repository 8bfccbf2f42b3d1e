"""Small answers."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from brood.dataplane.offload import Offload
from brood.frontends.http.coding import DEFLATE_BYTE_S, LEAST_BYTES, compressed, wanted_coding


def json_response(view: BaseModel, status: int = 200) -> Response:
    """A view as JSON."""
    return Response(view.model_dump_json(), status, media_type="application/json")


async def coded(
    offload: Offload, request: Request, content: bytes, media_type: str, headers: Mapping[str, str] | None = None
) -> Response:
    """An answer, compressed if the caller can read that and it pays."""
    words = {**(headers or {}), "Vary": "Accept-Encoding"}
    coding = wanted_coding(request.headers.get("accept-encoding")) if len(content) >= LEAST_BYTES else None
    if coding is not None:
        smaller = await offload.run(DEFLATE_BYTE_S * len(content), compressed, content, coding)
        if smaller is not None:
            content, words["Content-Encoding"] = smaller, coding
    return Response(content, headers=words, media_type=media_type)


async def root(_: Request) -> Response:
    """Whoever comes without an address is shown the documents."""
    return RedirectResponse("/docs")
