"""What there is: the server, its health, its models, their descriptions and statistics."""

from __future__ import annotations

from typing import Any

from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import Response

from brood.dataplane.plane import DataPlane
from brood.frontends.http.body import whole_body
from brood.frontends.http.oip.answer import JSON
from brood.frontends.http.oip.body import IndexWords, RepositoryWords
from brood.frontends.http.words import read_words
from brood.frontends.oip import SERVER, config, index, load, metadata, statistics, unload, version_of
from brood.protocol.errors import Unsupported, show


def answer(words: Any, status: int = 200) -> Response:
    """Words as JSON."""
    return Response(to_json(words), status, media_type=JSON)


def _meant(request: Request) -> tuple[str, int | None]:
    """The model and version in an address."""
    return request.path_params["name"], version_of(request.path_params.get("version", ""))


class Models:
    """Tells what there is, and changes it where that is allowed."""

    def __init__(self, plane: DataPlane) -> None:
        self._plane = plane

    async def server(self, _: Request) -> Response:
        """Name, version and extensions."""
        return answer(SERVER)

    async def live(self, _: Request) -> Response:
        """Always 200: whoever can answer lives."""
        return answer({"live": True, "ready": self._plane.ready().ready})

    async def ready(self, _: Request) -> Response:
        """200, or 503."""
        ready = self._plane.ready().ready
        return answer({"live": True, "ready": ready}, 200 if ready else 503)

    async def names(self, _: Request) -> Response:
        """All models that are ready."""
        return answer({"models": sorted({model.name for model in self._plane.models() if model.state == "ready"})})

    async def metadata(self, request: Request) -> Response:
        """What a model takes and gives."""
        return answer(metadata(self._plane, *_meant(request)))

    async def model_ready(self, request: Request) -> Response:
        """200, or 503."""
        name, version = _meant(request)
        ready = self._plane.model(name, version).state == "ready"
        return answer({"name": name, "ready": ready}, 200 if ready else 503)

    async def config(self, request: Request) -> Response:
        """How a model is run."""
        return answer(config(self._plane, *_meant(request)))

    async def statistics(self, request: Request) -> Response:
        """What has been done for a model, or for all."""
        if "name" not in request.path_params:
            return answer({"model_stats": statistics(self._plane)})
        return answer({"model_stats": statistics(self._plane, *_meant(request))})

    async def index(self, request: Request) -> Response:
        """All models with their states."""
        words = read_words(IndexWords, await whole_body(request, self._plane) or b"{}")
        return answer(index(self._plane.models(), words.ready))

    async def load(self, request: Request) -> Response:
        """Load a model."""
        words = read_words(RepositoryWords, await whole_body(request, self._plane) or b"{}")
        name = request.path_params["name"]
        await load(self._plane, name, words.parameters)
        return answer({"name": name, "load": True})

    async def unload(self, request: Request) -> Response:
        """Unload a model; its parameters say what to do with models that need it, of which there are none."""
        words = read_words(RepositoryWords, await whole_body(request, self._plane) or b"{}")
        name = request.path_params["name"]
        await unload(self._plane, name, words.parameters)
        return answer({"name": name, "unload": True})


async def unsupported(request: Request) -> Response:
    """Extensions that other servers have.

    Raises:
        Unsupported: always.
    """
    raise Unsupported(f"{show(request.url.path)} is not offered here: no shared memory, no trace and no log settings")
