"""OpenAI's ``POST /v1/images/generations``."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic_core import to_json

from brood.loadgen.checks import check_png
from brood.loadgen.http.connection import Response
from brood.loadgen.http.own import EVENTS, error_of, events, media_type, parsed
from brood.loadgen.orders import Order
from brood.loadgen.outcome import Content, Failed, wrong

PATH = "/v1/images/generations"
COMPLETED = "image_generation.completed"


class OpenAi:
    """A `Codec`.

    Args:
        stream: server-sent events rather than one answer.
    """

    def __init__(self, stream: bool) -> None:
        self._stream = stream

    def message(self, order: Order, seed: int) -> tuple[str, Mapping[str, str], bytes]:
        """See `Codec`."""
        common = {name: value for name, value in order.common.items() if not name.endswith("_every")}
        words: dict[str, Any] = {
            "model": order.model,
            "prompt": "any" if "label" not in order.params else str(order.params["label"]),
            "n": order.n,
            "seed": seed,
            **common,
            "params": {name: value for name, value in order.params.items() if name != "label"},
        }
        if self._stream:
            words |= {"stream": True, "partial_images": int("preview_every" in order.common)}
        return PATH, {"Content-Type": "application/json"}, to_json(words)

    def marks(self) -> tuple[bytes, bytes] | None:
        """See `Codec`."""
        if not self._stream:
            return None
        return b"event: image_generation.partial_image\n", f"event: {COMPLETED}\n".encode()

    def contents(self, order: Order, response: Response) -> Sequence[Content]:
        """See `Codec`."""
        if self._stream:
            pictures = [parsed(data) for name, data in _good_events(response) if name == COMPLETED]
        else:
            pictures = parsed(response.body).get("data", [])
        if len(pictures) != order.n:
            raise wrong(f"{len(pictures)} pictures instead of {order.n}")
        # Streams tell of pictures as they are finished.
        return [_content(picture) for picture in sorted(pictures, key=lambda each: int(each.get("index", 0)))]

    def error(self, response: Response) -> Failed:
        """See `Codec`."""
        return error_of(response)


def _good_events(response: Response) -> Sequence[tuple[str, bytes]]:
    if media_type(response) != EVENTS:
        raise wrong(f"{media_type(response)} instead of {EVENTS}")
    found = list(events(response.body))
    for name, data in found:
        if name == "error":
            raise error_of(Response(200, {}, data))
    return found


def _content(picture: Mapping[str, Any]) -> bytes:
    try:
        content = b64decode(picture["b64_json"], validate=True)
    except (KeyError, TypeError, ValueError) as error:
        raise wrong(f"a picture without b64_json: {error!r}") from error
    check_png("picture", content)
    return content
