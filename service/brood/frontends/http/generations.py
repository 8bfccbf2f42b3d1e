"""``POST /v1/generations``."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from brood.dataplane.plane import DataPlane
from brood.dataplane.result import Answer
from brood.frontends.http.accept import MEDIA_TYPES, Form, only_output, wanted_form
from brood.frontends.http.body import check_type, parse, read_body
from brood.frontends.http.disconnect import until_disconnect
from brood.frontends.http.render import PER_BYTE_S, content_of, headers_of, render
from brood.protocol.errors import BroodError
from brood.protocol.requests import GenerateRequest, OutputChoice

PROTOCOL = "http"


class Generations:
    """Makes samples."""

    def __init__(self, plane: DataPlane) -> None:
        self._plane = plane

    async def create(self, request: Request) -> Response:
        """Make samples and answer when all are finished."""
        try:
            form, asked, output = await self._read(request)
        except BroodError as error:
            self._plane.refused(error, PROTOCOL)
            raise
        with until_disconnect(request.receive):
            answer = await self._plane.answer(asked, request.state.request_id, PROTOCOL)
            return await self._response(answer, form, output)

    async def _read(self, request: Request) -> tuple[Form, GenerateRequest, str]:
        """The form of the answer, what is asked for, and the output whose bytes are wanted (if any)."""
        form = wanted_form(request.headers.get("accept", "*/*"))
        check_type(request.headers)
        asked = parse(await read_body(request.headers, request.receive, self._plane.limits.max_body_bytes))
        if form == "json":
            return form, asked, ""
        output = only_output(self._plane.operation(asked), form, asked.n)
        return form, asked.model_copy(update={"output": OutputChoice(format=form)}), output

    async def _response(self, answer: Answer, form: Form, output: str) -> Response:
        if form != "json":
            return Response(content_of(answer, output), headers=headers_of(answer), media_type=MEDIA_TYPES[form])
        body = await self._plane.offload.run(PER_BYTE_S * answer.size, render, answer)
        return Response(body, media_type=MEDIA_TYPES[form])
