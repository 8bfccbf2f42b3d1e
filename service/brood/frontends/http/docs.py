"""``/openapi.json``, and ``/docs`` to read and try it in a browser, with no other server needed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import Response
from swagger_ui_bundle import swagger_ui_path

from brood.dataplane.plane import DataPlane
from brood.frontends.http.openapi import document
from brood.frontends.http.pages import Whole, coded
from brood.protocol.errors import RouteNotFound

PAGE = b"""<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>brood</title>
<link rel="stylesheet" href="/docs/swagger-ui.css"><link rel="icon" href="/docs/favicon-32x32.png"></head>
<body><div id="swagger-ui"></div>
<script src="/docs/swagger-ui-bundle.js"></script><script src="/docs/start.js"></script></body>
</html>
"""
START = b'SwaggerUIBundle({url: "/openapi.json", dom_id: "#swagger-ui", deepLinking: true, validatorUrl: null});\n'
SERVED: Mapping[str, str] = {
    "swagger-ui.css": "text/css",
    "swagger-ui-bundle.js": "text/javascript",
    "favicon-32x32.png": "image/png",
}
# Only our own scripts run; the viewer sets styles in place and has its icons inline.
POLICY = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; frame-ancestors 'none'"


class Docs:
    """Serves the document and its viewer."""

    def __init__(self, plane: DataPlane) -> None:
        self._plane = plane

    async def openapi(self, request: Request) -> Whole:
        """The document, with the models that are here now."""
        content = to_json(document(self._plane.models()))
        return await coded(self._plane.offload, request, content, "application/json")

    async def page(self, _: Request) -> Response:
        """The viewer."""
        return Response(PAGE, headers={"Content-Security-Policy": POLICY}, media_type="text/html")

    async def file(self, request: Request) -> Response:
        """One of the viewer's files."""
        name = request.path_params["file"]
        if name == "start.js":
            return Response(START, media_type="text/javascript")
        if name not in SERVED:
            raise RouteNotFound(f"/docs has the files start.js, {', '.join(SERVED)}")
        content = await asyncio.to_thread((Path(swagger_ui_path) / name).read_bytes)
        return Response(content, headers={"Cache-Control": "max-age=86400"}, media_type=SERVED[name])
