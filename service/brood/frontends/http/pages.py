"""Small answers."""

from __future__ import annotations

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response


def json_response(view: BaseModel, status: int = 200) -> Response:
    """A view as JSON."""
    return Response(view.model_dump_json(), status, media_type="application/json")


async def root(_: Request) -> Response:
    """Whoever comes without an address is shown the documents."""
    return RedirectResponse("/docs")
