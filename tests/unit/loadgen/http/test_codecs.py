"""Answers that say they are good and are not."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import numpy as np
import pytest

from brood.loadgen.http.connection import Response
from brood.loadgen.http.oip import OipHttp
from brood.loadgen.http.openai import OpenAi
from brood.loadgen.http.own import OwnHttp, OwnStream
from brood.loadgen.http.way import Codec
from brood.loadgen.orders import Order
from brood.loadgen.outcome import BROKEN_OFF, WRONG, Failed

ORDER = Order("m", n=2)
JSON, EVENTS = {b"content-type": b"application/json; charset=utf-8"}, {b"content-type": b"text/event-stream"}
TENSOR = {"format": "raw", "dtype": "uint8", "shape": [3], "b64": b64encode(b"abc").decode()}


def sample(index: int, **outputs: Any) -> dict[str, Any]:
    return {"index": index, "seed": 7, "outputs": outputs or {"x": TENSOR}}


def own(*samples: dict[str, Any]) -> Response:
    return Response(200, JSON, json.dumps({"samples": samples}).encode())


def stream(*events: tuple[str, dict[str, Any]]) -> Response:
    body = "".join(f"event: {name}\nid: 0\ndata: {json.dumps(words)}\n\n: ping\n\n" for name, words in events)
    return Response(200, EVENTS, body.encode())


def oip(shape: list[int], content: bytes, size: int | None = None) -> Response:
    parameters = {"binary_data_size": len(content) if size is None else size}
    output = {"name": "x", "datatype": "UINT8", "shape": shape, "parameters": parameters}
    head = json.dumps({"outputs": [output]}).encode()
    return Response(200, {b"inference-header-content-length": str(len(head)).encode()}, head + content)


def test_right_answers() -> None:
    assert OwnHttp().contents(ORDER, own(sample(1, y=True), sample(0))) == [b"abc", np.float64(1).tobytes()]
    told = [("accepted", {}), ("sample", sample(1)), ("sample", sample(0)), ("done", {})]
    assert OwnStream().contents(ORDER, stream(*told)) == [b"abc", b"abc"]
    assert OipHttp().contents(ORDER, oip([2, 3], b"abcdef")) == [b"abcdef"]


def test_a_bare_call_has_the_order_s_inputs_and_nothing_else() -> None:
    z = np.arange(6, dtype=np.float32).reshape(2, 3)
    path, headers, body = OipHttp(bare=True).message(Order("a b", inputs={"z": z}), 7)
    length = int(headers["Inference-Header-Content-Length"])
    assert path == "/v2/models/a%20b/infer"
    assert json.loads(body[:length]) == {
        "parameters": {"binary_data_output": True},
        "inputs": [{"name": "z", "datatype": "FP32", "shape": [2, 3], "parameters": {"binary_data_size": 24}}],
    }
    assert body[length:] == z.tobytes()
    assert OipHttp(bare=True).contents(Order("m", inputs={"z": z}), oip([2, 3], b"abcdef")) == [b"abcdef"]


@pytest.mark.parametrize(
    ("codec", "response", "code", "words"),
    [
        (OwnHttp(), Response(200, EVENTS, b""), WRONG, "text/event-stream instead of application/json"),
        (OwnHttp(), Response(200, JSON, b"{"), WRONG, "1 bytes that are no JSON"),
        (OwnHttp(), Response(200, JSON, b"[]"), WRONG, "JSON that is no object"),
        (OwnHttp(), Response(200, JSON, b"{}"), WRONG, "JSON without samples"),
        (OwnHttp(), own(sample(0)), WRONG, "1 samples .* instead of 2"),
        (OwnHttp(), own(sample(0), sample(0)), WRONG, "2 samples .* instead of 2, from index 0"),
        (OwnHttp(), own(sample(0), {"index": 1}), WRONG, "samples of another form: KeyError"),
        (OwnHttp(), own(sample(0), sample(1, x={**TENSOR, "shape": [4]})), WRONG, "x: 3 bytes instead of 4"),
        (OwnHttp(), own(sample(0), sample(1, x={**TENSOR, "b64": "!"})), WRONG, "samples of another form"),
        (OwnHttp(), own(sample(0), sample(1, x="word")), WRONG, "samples of another form"),
        (OwnStream(), Response(200, JSON, b"{}"), WRONG, "application/json instead of text/event-stream"),
        (OwnStream(), stream(("accepted", {})), BROKEN_OFF, "the last event was accepted instead of done"),
        (OwnStream(), stream(), BROKEN_OFF, "the last event was none instead of done"),
        (OwnStream(), stream(("sample", sample(0)), ("done", {})), WRONG, "1 samples"),
        (OwnStream(), stream(("failed", {"error": {"code": "overloaded", "message": "m"}})), "overloaded", "m"),
        (OpenAi(False), Response(200, JSON, b'{"data": []}'), WRONG, "0 pictures instead of 2"),
        (OpenAi(False), Response(200, JSON, b'{"data": [{}, {}]}'), WRONG, "a picture without b64_json"),
        (OpenAi(True), Response(200, JSON, b"{}"), WRONG, "instead of text/event-stream"),
        (OpenAi(True), stream(("error", {"error": {"code": "c", "message": "m"}})), "c", "m"),
        (OipHttp(), Response(200, JSON, b"{}"), WRONG, "an answer without binary tensors"),
        (OipHttp(), oip([2, 3], b"abc"), WRONG, "x: 3 bytes instead of 6"),
        (OipHttp(), oip([1, 3], b"abc"), WRONG, "instead of 2 rows"),
        (OipHttp(), oip([2, 1], b"abc", 2), WRONG, "1 outputs that end at byte .* of"),
        (OipHttp(), Response(200, {b"inference-header-content-length": b"2"}, b"{}x"), WRONG, "0 outputs"),
    ],
)
def test_wrong_answers_are_told(codec: Codec, response: Response, code: str, words: str) -> None:
    with pytest.raises(Failed, match=words) as caught:
        codec.contents(ORDER, response)
    assert caught.value.code == code
