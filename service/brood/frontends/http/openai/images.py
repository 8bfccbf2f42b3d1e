"""``POST /v1/images/generations``, ``/edits`` and ``/variations``."""

from __future__ import annotations

from starlette.requests import Request

from brood.dataplane.costs import decoding_s
from brood.dataplane.plane import DataPlane
from brood.dataplane.replays import FIELD as KEY
from brood.dataplane.replays import PER_BYTE_S as PRINT_BYTE_S
from brood.dataplane.replays import fingerprint, refuse_key
from brood.dataplane.validate import input_bytes
from brood.frontends.http.body import JSON, MULTIPART, boundary_of, whole_body
from brood.frontends.http.disconnect import until_disconnect
from brood.frontends.http.events import EventAnswer
from brood.frontends.http.multipart import PER_BYTE_S as PART_BYTE_S
from brood.frontends.http.openai.answer import ImageEvents, render
from brood.frontends.http.openai.form import read_form
from brood.frontends.http.openai.order import Order, order_of
from brood.frontends.http.openai.uploads import inputs_of
from brood.frontends.http.openai.verbs import Verb, find_painter
from brood.frontends.http.pages import REPLAYED, Whole, coded
from brood.frontends.http.render import PER_BYTE_S
from brood.frontends.http.words import read_fields, read_words
from brood.protocol.errors import BroodError, UnsupportedMediaType, show

PROTOCOL = "openai"
RGBA = 4  # bytes a pixel


class Images:
    """Makes pictures."""

    def __init__(self, plane: DataPlane) -> None:
        self._plane = plane

    async def answer(self, verb: Verb, request: Request) -> Whole | EventAnswer:
        """Make pictures and answer when all are finished, or as they are."""
        key = request.headers.get(KEY)
        try:
            order = await self._order(verb, request)
            if order.stream:
                refuse_key(key)
        except BroodError as error:
            self._plane.refused(error, PROTOCOL)
            raise
        request_id = request.state.request_id
        if order.stream:
            events = self._plane.generate(order.request, request_id, PROTOCOL)
            return EventAnswer(self._plane, await anext(events), events, ImageEvents(self._plane, order))
        with until_disconnect(request.receive):
            key = key or await self._key(order)
            answer = await self._plane.answer(order.request, request_id, PROTOCOL, idempotency_key=key)
            content = await self._plane.offload.run(PER_BYTE_S * answer.size, render, answer, order)
            headers = (REPLAYED,) if answer.replayed else ()
            return await coded(self._plane.offload, request, content, JSON, headers)

    async def _order(self, verb: Verb, request: Request) -> Order:
        given = request.headers.get("content-type", "")
        boundary = boundary_of(given)
        if (boundary is not None) != verb.uploads:
            allowed = MULTIPART if verb.uploads else JSON
            text = f"Content-Type: {show(given)} is not read here; allowed: {allowed}"
            raise UnsupportedMediaType(text, field="Content-Type")
        body = await whole_body(request, self._plane)
        if boundary is None:
            words = read_words(verb.words, body)
            painter = find_painter(self._plane, verb, words.model, words.version)
            return order_of(words, painter, {}, textual=False)
        form = await self._plane.offload.run(PART_BYTE_S * len(body), read_form, body, boundary)
        words = read_fields(verb.words, form.fields)
        painter = find_painter(self._plane, verb, words.model, words.version)
        predicted_s = decoding_s(RGBA * painter.height * painter.width)
        inputs = await self._plane.offload.run(predicted_s, inputs_of, form.files, painter)
        return order_of(words, painter, inputs, textual=True)

    async def _key(self, order: Order) -> str | None:
        """Clients try again without a key of their own; who names a seed asks for the same pictures every time."""
        request = order.request
        if request.seed is None:
            return None
        found = await self._plane.offload.run(PRINT_BYTE_S * input_bytes(request), fingerprint, request)
        return f"seeded-{found.hex()}"
