"""``GET /v1/models`` and ``GET /v1/models/{name}``, which OpenAI's clients read, too; and models changed by callers."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

from pydantic import Field
from starlette.requests import Request

from brood.dataplane.plane import DataPlane
from brood.frontends.changes import change_model
from brood.frontends.http.body import whole_body
from brood.frontends.http.pages import Whole, coded
from brood.frontends.http.schema import ModelsView, ModelView
from brood.frontends.http.words import Words, read_words
from brood.protocol.errors import invalid
from brood.store.wanted import Change

VERSION = re.compile(r"[1-9][0-9]{0,17}")


class ChangeWords(Words):
    """Which of a model's versions are loaded, unloaded or reloaded."""

    version: int | None = Field(
        default=None, ge=1, description="default: those that its version policy says; to unload or reload: all"
    )


class Models:
    """Tells what there is, and changes it."""

    def __init__(self, plane: DataPlane) -> None:
        self._plane = plane

    async def index(self, request: Request) -> Whole:
        """All models with their states."""
        content = ModelsView.of(self._plane.models()).model_dump_json(by_alias=True).encode()
        return await coded(self._plane.offload, request, content, "application/json")

    async def show(self, request: Request) -> Whole:
        """One model; ``?version=`` selects, else the newest that is ready, or else the newest."""
        version = request.query_params.get("version")
        if version is not None and not VERSION.fullmatch(version):
            raise invalid("version", version, "an integer from 1 on")
        status = self._plane.model(request.path_params["name"], None if version is None else int(version))
        content = ModelView.of(status).model_dump_json(by_alias=True).encode()
        return await coded(self._plane.offload, request, content, "application/json")

    def change(self, change: Change) -> Callable[[Request], Awaitable[Whole]]:
        """Load, unload or reload a model, and wait until that is done."""

        async def endpoint(request: Request) -> Whole:
            words = read_words(ChangeWords, await whole_body(request, self._plane) or b"{}")
            found = await change_model(self._plane, change, request.path_params["name"], words.version)
            content = ModelsView.of(found).model_dump_json(by_alias=True).encode()
            return await coded(self._plane.offload, request, content, "application/json")

        return endpoint
