"""``GET /v1/models`` and ``GET /v1/models/{name}``."""

from __future__ import annotations

import re

from starlette.requests import Request
from starlette.responses import Response

from brood.dataplane.plane import DataPlane
from brood.frontends.http.pages import json_response
from brood.frontends.http.schema import ModelsView, ModelView
from brood.protocol.errors import invalid

VERSION = re.compile(r"[1-9][0-9]{0,17}")


class Models:
    """Tells what there is."""

    def __init__(self, plane: DataPlane) -> None:
        self._plane = plane

    async def index(self, _: Request) -> Response:
        """All models with their states."""
        models = tuple(ModelView.of(status) for status in self._plane.models())
        return json_response(ModelsView(models=models))

    async def show(self, request: Request) -> Response:
        """One model; ``?version=`` selects, else the newest that is ready, or else the newest."""
        version = request.query_params.get("version")
        if version is not None and not VERSION.fullmatch(version):
            raise invalid("version", version, "an integer from 1 on")
        status = self._plane.model(request.path_params["name"], None if version is None else int(version))
        return json_response(ModelView.of(status))
