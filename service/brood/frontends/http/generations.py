"""``POST /v1/generations`` and ``DELETE /v1/generations/{id}``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache

from starlette.requests import Request
from starlette.responses import Response

from brood.dataplane.plane import DataPlane
from brood.dataplane.replays import FIELD as KEY
from brood.dataplane.replays import refuse_key
from brood.dataplane.result import Answer
from brood.frontends.http.accept import (
    MEDIA_TYPES,
    Form,
    check_stream,
    is_file,
    only_output,
    possible_form,
    wanted_forms,
)
from brood.frontends.http.body import HttpGenerateRequest, boundary_of, parse, whole_body
from brood.frontends.http.disconnect import until_disconnect
from brood.frontends.http.events import EventAnswer, EventWords
from brood.frontends.http.files import COPY_BYTE_S, as_safetensors, as_zip
from brood.frontends.http.heads import Heads, heads_of
from brood.frontends.http.multipart import PER_BYTE_S as PART_BYTE_S
from brood.frontends.http.multipart import parse_multipart
from brood.frontends.http.pages import REPLAYED, Whole, coded
from brood.frontends.http.render import PER_BYTE_S, Headers, content_of, headers_of, render
from brood.protocol.errors import BroodError, GenerationNotFound, show
from brood.protocol.requests import OutputChoice, OutputFormat

PROTOCOL = "http"
KEY_HEADER = KEY.lower().encode()
# What writes all samples, and how long it takes for each byte of content, measured.
WRITERS: Mapping[Form, tuple[Callable[[Answer], bytes], float]] = {
    "json": (render, PER_BYTE_S),
    "events": (render, PER_BYTE_S),
    "zip": (as_zip, PER_BYTE_S),
    "safetensors": (as_safetensors, COPY_BYTE_S),
}


@cache
def _choice(form: OutputFormat) -> OutputChoice:
    return OutputChoice(format=form)


class Generations:
    """Makes samples."""

    def __init__(self, plane: DataPlane) -> None:
        self._plane = plane

    async def create(self, request: Request) -> Whole | EventAnswer:
        """Make samples and answer when all are finished, or as they are."""
        heads = heads_of(request.scope)
        try:
            forms = wanted_forms(heads.text(b"accept") or "*/*")
            asked, form, output = self._formed(await self._read(request, heads), forms)
            key = heads.text(KEY_HEADER)
            if asked.stream:
                refuse_key(key)
        except BroodError as error:
            self._plane.refused(error, PROTOCOL)
            raise
        request_id: str = request.scope["state"]["request_id"]
        if asked.stream:
            events = self._plane.generate(asked, request_id, PROTOCOL)
            words = EventWords(self._plane, asked.output, request_id)
            return EventAnswer(self._plane, await anext(events), events, words)
        with until_disconnect(request.receive):
            answer = await self._plane.answer(asked, request_id, PROTOCOL, idempotency_key=key)
            return await self._response(request, answer, form, output)

    async def delete(self, request: Request) -> Response:
        """Cancel a running generation."""
        request_id = request.path_params["id"]
        if not self._plane.cancel(request_id):
            raise GenerationNotFound(f"id: no generation {show(request_id)} is running; it may have ended", field="id")
        return Response(status_code=204)

    async def _read(self, request: Request, heads: Heads) -> HttpGenerateRequest:
        boundary = boundary_of(heads.text(b"content-type") or "")
        body = await whole_body(request, self._plane)
        if boundary is None:
            return parse(body)
        return await self._plane.offload.run(PART_BYTE_S * len(body), parse_multipart, body, boundary)

    def _formed(self, asked: HttpGenerateRequest, forms: tuple[Form, ...]) -> tuple[HttpGenerateRequest, Form, str]:
        """The request with outputs as the form needs them, the form, and the output whose bytes are wanted (if any)."""
        form, output = forms[0], ""
        operation = None
        if is_file(form) and not asked.stream:
            operation = self._plane.operation(asked)
            form = possible_form(forms, operation)
        check_stream(form, asked.stream)
        if operation is not None and is_file(form):
            output = only_output(operation, form, asked.n)
            choice = asked.output if asked.output.format == form else _choice(form)
        elif form == "safetensors":
            choice = _choice("raw")
        else:
            return asked, form, output
        return asked.model_copy(update={"output": choice}), form, output

    async def _response(self, request: Request, answer: Answer, form: Form, output: str) -> Whole:
        headers: Headers = (REPLAYED,) if answer.replayed else ()
        if is_file(form):
            content = content_of(answer, output)
        else:
            write, per_byte_s = WRITERS[form]
            content = await self._plane.offload.run(per_byte_s * answer.size, write, answer)
        if form != "json":
            headers += headers_of(answer)
        if form in ("json", "npy"):
            return await coded(self._plane.offload, request, content, MEDIA_TYPES[form], headers)
        return Whole(content, MEDIA_TYPES[form], headers)
