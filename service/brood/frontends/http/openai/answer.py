"""Answers as OpenAI's clients read them: whole, or as server-sent events."""

from __future__ import annotations

import time
from binascii import b2a_base64
from typing import Any

from pydantic_core import to_json

from brood.dataplane.plane import DataPlane
from brood.dataplane.result import Answer, EncodedSample
from brood.frontends.http.errors import openai_words
from brood.frontends.http.events import Told
from brood.frontends.http.openai.order import Order
from brood.media.encode import Encoded
from brood.protocol.errors import BroodError, Internal
from brood.protocol.events import Accepted, Event, Failed, Preview, Sample

Words = dict[str, Any]
# Nothing here is counted in tokens, and clients that add them up need numbers.
USAGE = {
    "input_tokens": 0,
    "input_tokens_details": {"image_tokens": 0, "text_tokens": 0},
    "output_tokens": 0,
    "total_tokens": 0,
}


def render(answer: Answer, order: Order) -> bytes:
    """The JSON body. ``seed`` and ``index`` of each picture are beyond the protocol: they make it again."""
    pictures = [_picture(sample, order.painter.output) for sample in answer.samples]
    words = {"created": int(time.time()), "data": pictures, **_looks(order), "usage": USAGE}
    return to_json(words)


class ImageEvents:
    """A `Teller`: partial pictures, then for each sample that it is completed.

    Args:
        plane: whose generation it is.
        order: what is made.
    """

    def __init__(self, plane: DataPlane, order: Order) -> None:
        self._plane, self._order = plane, order
        self._accepted: Accepted | None = None
        self._partials = 0

    async def of(self, event: Event) -> Told | None:
        """See `Teller.of`."""
        match event:
            case Accepted():
                self._accepted = event
            case Preview() if self._partials < self._order.partials:
                self._partials += 1
                return await self._told("partial_image", event, {"partial_image_index": self._partials - 1})
            case Sample():
                return await self._told("completed", event, {"usage": USAGE})
            case Failed(error):
                raise error
        return None

    def failed(self, error: BroodError) -> tuple[str, Words]:
        """See `Teller.failed`."""
        return "error", openai_words(error)

    async def _told(self, what: str, sample: Sample | Preview, more: Words) -> Told:
        if self._accepted is None:
            raise Internal("a sample came before its generation was accepted")
        shown = await self._plane.encode(self._accepted, sample, self._order.request.output)
        picture = _picture(shown, self._order.painter.output)
        name = f"{self._order.painter.verb.event}.{what}"
        # No model here has qualities to choose from; clients need the word.
        words = {"type": name, **picture, "created_at": int(time.time()), **_looks(self._order), "quality": "auto"}
        return Told(name, words | more, len(picture["b64_json"]))


def _looks(order: Order) -> Words:
    return {
        "size": order.painter.size,
        "background": "opaque",
        "output_format": order.request.output.format,
    }


def _picture(sample: EncodedSample, output: str) -> Words:
    content = sample.outputs[output]
    if not isinstance(content, Encoded):
        raise Internal(f"output {output} is no picture")
    text = b2a_base64(content.content, newline=False).decode("ascii")
    return {"b64_json": text, "seed": sample.seed, "index": sample.index}
