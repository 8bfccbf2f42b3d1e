"""``/healthz``: the process lives. ``/readyz``: it can be sent work."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from brood.dataplane.plane import DataPlane
from brood.frontends.http.pages import json_response
from brood.frontends.http.schema import LiveView, ModelReadiness, ReadyView


class Health:
    """Answers probes."""

    def __init__(self, plane: DataPlane) -> None:
        self._plane = plane

    async def live(self, _: Request) -> Response:
        """Always 200: whoever can answer lives."""
        return json_response(LiveView())

    async def ready(self, _: Request) -> Response:
        """200, or 503 with the reason."""
        state = self._plane.ready()
        models = tuple(
            ModelReadiness(name=status.name, version=status.version, state=status.state, reason=status.reason)
            for status in self._plane.models()
        )
        view = ReadyView(ready=state.ready, reason=state.reason, problems=state.problems, models=models)
        return json_response(view, status=200 if state.ready else 503)
