"""Which address under ``/v1/images`` leads where."""

from __future__ import annotations

from functools import partial

from starlette.routing import Route

from brood.dataplane.plane import DataPlane
from brood.frontends.http.openai.images import Images
from brood.frontends.http.openai.verbs import VERBS
from brood.frontends.http.routing import route


def routes(plane: DataPlane) -> list[Route]:
    """Every address."""
    images = Images(plane)
    return [route(f"/v1/images/{verb.name}", partial(images.answer, verb), "POST") for verb in VERBS]
