"""``POST /v2/models/{name}[/versions/{version}]/infer``."""

from __future__ import annotations

from starlette.requests import Request

from brood.dataplane.plane import DataPlane
from brood.frontends.http.body import whole_body
from brood.frontends.http.disconnect import until_disconnect
from brood.frontends.http.oip.answer import BINARY, JSON, render, rendering_s
from brood.frontends.http.oip.body import HEADER_LENGTH, HttpCall, read_call
from brood.frontends.http.pages import Whole, coded
from brood.frontends.oip import Inference, version_of
from brood.protocol.errors import BroodError

PROTOCOL = "oip-http"
LENGTH = HEADER_LENGTH.lower().encode()


class Infer:
    """Runs calls."""

    def __init__(self, plane: DataPlane) -> None:
        self._plane, self._inference = plane, Inference(plane, PROTOCOL)

    async def infer(self, request: Request) -> Whole:
        """Run a call and answer when all its rows are finished."""
        try:
            asked = await self._read(request)
        except BroodError as error:
            self._plane.refused(error, PROTOCOL)
            raise
        with until_disconnect(request.receive):
            answer = await self._inference.infer(asked.call, request.state.request_id)
            predicted_s = rendering_s(answer, asked.wants_bytes)
            content, head = await self._plane.offload.run(predicted_s, render, answer, asked.wants_bytes)
            headers = () if head is None else ((LENGTH, b"%d" % head),)
            return await coded(self._plane.offload, request, content, JSON if head is None else BINARY, headers)

    async def _read(self, request: Request) -> HttpCall:
        version = version_of(request.path_params.get("version", ""))
        body = await whole_body(request, self._plane)
        return read_call(request.headers, body, request.path_params["name"], version)
