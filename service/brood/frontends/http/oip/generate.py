"""Triton's ``generate`` and ``generate_stream``: a call as one flat JSON object, an answer as another, or several.

What stands in the object beside ``id`` and ``parameters`` are inputs by their names, one row each; numbers and text for
parameters may stand there, too.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, suppress
from typing import Any

from pydantic_core import to_json
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from brood.dataplane.find import manifest_of
from brood.dataplane.plane import DataPlane
from brood.frontends.http.body import whole_body
from brood.frontends.http.border import known
from brood.frontends.http.disconnect import until_disconnect
from brood.frontends.http.errors import oip_words
from brood.frontends.http.events import HEADERS
from brood.frontends.http.oip.answer import JSON, flat
from brood.frontends.http.oip.body import GenerateWords
from brood.frontends.http.pages import Whole, coded
from brood.frontends.http.words import read_words
from brood.frontends.oip import InferAnswer, InferCall, Inference, Tensor, version_of
from brood.frontends.oip.specs import Spec, input_specs
from brood.frontends.oip.tensors import from_values
from brood.protocol.errors import BroodError, Cancelled, invalid
from brood.protocol.manifest import Manifest

PROTOCOL = "oip-http"


class Generate:
    """Runs flat calls."""

    def __init__(self, plane: DataPlane) -> None:
        self._plane, self._inference = plane, Inference(plane, PROTOCOL)

    async def whole(self, request: Request) -> Whole:
        """Answer when all rows are finished."""
        call = await self._call(request)
        with until_disconnect(request.receive):
            answer = await self._inference.infer(call, request.state.request_id)
            content = to_json(flat(answer), inf_nan_mode="null")
            return await coded(self._plane.offload, request, content, JSON)

    async def stream(self, request: Request) -> FlatEvents:
        """Answer each row as it is finished, as a server-sent event."""
        call = await self._call(request)
        answers = self._inference.stream(call, request.state.request_id)
        with until_disconnect(request.receive):
            return FlatEvents(await anext(answers), answers)

    async def _call(self, request: Request) -> InferCall:
        try:
            name, version = request.path_params["name"], version_of(request.path_params.get("version", ""))
            words = read_words(GenerateWords, await whole_body(request, self._plane))
            manifest = manifest_of(self._plane.model(name, version))
            return _flat_call(name, version, words, manifest)
        except BroodError as error:
            self._plane.refused(error, PROTOCOL)
            raise


class FlatEvents:
    """Answers as server-sent events. An ASGI application.

    Args:
        first: the first, which has come already: what is wrong with a call is told with a status.
        others: those that follow.
    """

    def __init__(self, first: InferAnswer, others: AsyncGenerator[InferAnswer, None]) -> None:
        self._first, self._others = first, others

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send all; the generation ends when the caller leaves."""
        async with aclosing(self._others):
            await send({"type": "http.response.start", "status": 200, "headers": list(HEADERS)})
            with suppress(Cancelled), until_disconnect(receive, after_s=0.0):
                try:
                    await _send(send, flat(self._first))
                    async for answer in self._others:
                        await _send(send, flat(answer))
                except Exception as error:
                    await _send(send, oip_words(known(error, scope, scope["state"]["request_id"])))
        await send({"type": "http.response.body", "body": b""})


async def _send(send: Send, words: Mapping[str, Any]) -> None:
    chunk = b"data: %b\n\n" % to_json(words, inf_nan_mode="null")
    await send({"type": "http.response.body", "body": chunk, "more_body": True})


def _flat_call(name: str, version: int | None, words: GenerateWords, manifest: Manifest) -> InferCall:
    given = {name for operation in manifest.operations.values() for name in operation.inputs}
    specs = {spec.name: spec for spec in input_specs(manifest) if spec.name in given}
    parameters = dict(words.parameters)
    inputs: list[Tensor] = []
    for key, value in (words.model_extra or {}).items():
        if key in specs:
            inputs.append(_row(specs[key], value))
        elif isinstance(value, bool | int | float | str):
            parameters[key] = value
        else:
            raise invalid(key, value, "a number, true, false or a string; or the name of an input")
    return InferCall(name, version, words.id, parameters, tuple(inputs))


def _row(spec: Spec, value: Any) -> Tensor:
    """One row of an input; how its lists are nested does not matter."""
    return from_values(spec.name, spec.datatype, [1, *spec.shape], value)
