"""``GET /v1/models`` and ``GET /v1/models/{name}``; OpenAI's clients read the same answers."""

from __future__ import annotations

import re

from starlette.requests import Request
from starlette.responses import Response

from brood.dataplane.plane import DataPlane
from brood.frontends.http.pages import coded
from brood.frontends.http.schema import ModelsView, ModelView
from brood.protocol.errors import invalid

VERSION = re.compile(r"[1-9][0-9]{0,17}")


class Models:
    """Tells what there is."""

    def __init__(self, plane: DataPlane) -> None:
        self._plane = plane

    async def index(self, request: Request) -> Response:
        """All models with their states."""
        content = ModelsView.of(self._plane.models()).model_dump_json(by_alias=True).encode()
        return await coded(self._plane.offload, request, content, "application/json")

    async def show(self, request: Request) -> Response:
        """One model; ``?version=`` selects, else the newest that is ready, or else the newest."""
        version = request.query_params.get("version")
        if version is not None and not VERSION.fullmatch(version):
            raise invalid("version", version, "an integer from 1 on")
        status = self._plane.model(request.path_params["name"], None if version is None else int(version))
        content = ModelView.of(status).model_dump_json(by_alias=True).encode()
        return await coded(self._plane.offload, request, content, "application/json")
