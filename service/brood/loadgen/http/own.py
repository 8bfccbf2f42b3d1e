"""``POST /v1/generations``: the own protocol."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from pydantic_core import from_json, to_json

from brood.loadgen.checks import check_indices, check_npy, check_png, check_tensor, safetensors_body
from brood.loadgen.http.connection import Response
from brood.loadgen.orders import Order
from brood.loadgen.outcome import BROKEN_OFF, WRONG, Content, Failed, wrong

PATH = "/v1/generations"
MEDIA_TYPES = {
    "json": "application/json",
    "npy": "application/x-npy",
    "png": "image/png",
    "safetensors": "application/x-safetensors",
}
EVENTS = "text/event-stream"
Words = Mapping[str, Any]


class OwnHttp:
    """A `Codec`: a whole answer, in the form that the order accepts."""

    def message(self, order: Order, seed: int) -> tuple[str, Mapping[str, str], bytes]:
        """See `Codec`."""
        headers = {"Content-Type": "application/json", "Accept": MEDIA_TYPES[order.accept]}
        return PATH, headers, to_json(_fields(order, seed))

    def marks(self) -> None:
        """See `Codec`."""
        return

    def contents(self, order: Order, response: Response) -> Sequence[Content]:
        """See `Codec`."""
        told, wanted = media_type(response), MEDIA_TYPES[order.accept]
        if told != wanted:
            raise wrong(f"{told} instead of {wanted}")
        return READERS[order.accept](order, response.body)

    def error(self, response: Response) -> Failed:
        """See `Codec`."""
        return error_of(response)


class OwnStream:
    """A `Codec`: server-sent events."""

    def message(self, order: Order, seed: int) -> tuple[str, Mapping[str, str], bytes]:
        """See `Codec`."""
        headers = {"Content-Type": "application/json", "Accept": EVENTS}
        return PATH, headers, to_json({**_fields(order, seed), "stream": True})

    def marks(self) -> tuple[bytes, bytes]:
        """See `Codec`."""
        return b"event: preview\n", b"event: sample\n"

    def contents(self, order: Order, response: Response) -> Sequence[Content]:
        """See `Codec`."""
        if media_type(response) != EVENTS:
            raise wrong(f"{media_type(response)} instead of {EVENTS}")
        samples: list[Words] = []
        last = ""
        for last, data in events(response.body):
            if last == "failed":
                raise _told(data)
            if last == "sample":
                samples.append(parsed(data))
        if last != "done":
            raise Failed(BROKEN_OFF, f"the last event was {last or 'none'} instead of done")
        return _contents(order, samples)

    def error(self, response: Response) -> Failed:
        """See `Codec`."""
        return error_of(response)


def _fields(order: Order, seed: int) -> dict[str, Any]:
    inputs = {
        name: {"b64": b64encode(array.tobytes()).decode(), "format": "raw", "dtype": str(array.dtype), "shape": shape}
        for name, array in order.inputs.items()
        for shape in [list(array.shape)]
    }
    return {
        "model": order.model,
        "operation": order.operation,
        "n": order.n,
        "seed": seed,
        **order.common,
        "params": order.params,
        "inputs": inputs,
        "output": {"format": order.format},
    }


def _of_json(order: Order, body: bytes) -> Sequence[Content]:
    samples = parsed(body).get("samples")
    if not isinstance(samples, list):
        raise wrong("JSON without samples")
    return _contents(order, samples)


def _of_npy(order: Order, body: bytes) -> Sequence[Content]:
    check_npy("body", body)
    return (body,)


def _of_png(order: Order, body: bytes) -> Sequence[Content]:
    check_png("body", body)
    return (body,)


READERS: Mapping[str, Callable[[Order, bytes], Sequence[Content]]] = {
    "json": _of_json,
    "npy": _of_npy,
    "png": _of_png,
    "safetensors": lambda order, body: (safetensors_body(body, order.n),),
}


def _contents(order: Order, samples: Sequence[Words]) -> Sequence[Content]:
    """The bytes of all outputs of all samples, in order of index, checked."""
    try:
        check_indices([sample["index"] for sample in samples], order.n)
        ordered = sorted(samples, key=lambda sample: int(sample["index"]))
        return [_content(name, each) for sample in ordered for name, each in sample["outputs"].items()]
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise wrong(f"samples of another form: {error!r}") from error


def _content(name: str, told: Any) -> bytes:
    if not isinstance(told, dict):
        return np.float64(told).tobytes()  # a number or truth value
    content = b64decode(told["b64"], validate=True)
    check_tensor(name, told["format"], told["dtype"], told["shape"], content)
    return content


def events(body: bytes) -> Iterator[tuple[str, bytes]]:
    """Name and data of each event of a whole stream (WHATWG HTML, section 9.2) of lines that end in LF."""
    for block in body.split(b"\n\n"):
        lines = dict(line.split(b": ", 1) for line in block.split(b"\n") if b": " in line and not line.startswith(b":"))
        if b"data" in lines:
            yield lines.get(b"event", b"message").decode(), lines[b"data"]


def media_type(response: Response) -> str:
    """Of the body, without parameters."""
    return response.headers.get(b"content-type", b"").split(b";")[0].decode("latin-1")


def parsed(body: bytes) -> Words:
    """JSON that is an object.

    Raises:
        Failed: it is none.
    """
    try:
        words = from_json(body)
    except ValueError as error:
        raise wrong(f"{len(body)} bytes that are no JSON: {error}") from error
    if not isinstance(words, dict):
        raise wrong("JSON that is no object")
    return words


def error_of(response: Response) -> Failed:
    """What an error says: its code, or else its status."""
    try:
        return _told(response.body, f"http_{response.status}")
    except Failed:
        return Failed(f"http_{response.status}", response.body[:200].decode("utf-8", "replace"))


def _told(body: bytes, unknown: str = WRONG) -> Failed:
    error = parsed(body).get("error")
    if isinstance(error, dict):
        return Failed(str(error.get("code") or unknown), str(error.get("message", "")))
    return Failed(unknown, str(error))
