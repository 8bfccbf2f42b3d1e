"""Chunks as messages."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from brood.protocol.errors import InvalidArgument
from brood.protocol.manifest import Scalar
from brood.protocol.requests import Generation
from brood.protocol.wire import worker_pb2 as pb
from brood.remote import orders
from brood.remote.orders import Piece, generation_of, submit_message
from brood.remote.tensors import Payload, framed

PARAMS: dict[str, Scalar] = {"label": -7, "temperature": 0.1, "flip": True, "style": "bold ✓", "whole": 2.0}
INPUTS: dict[str, np.ndarray] = {
    "mask": np.arange(20, dtype=np.uint8).reshape(10, 2),
    "image": np.broadcast_to(np.linspace(0, 1, 6, dtype=np.float32).reshape(1, 2, 3), (10, 1, 2, 3)),
}
WHOLE = Generation("an-id", "tiny", 2, "vary", 10, 2**63 - 1, 2**53 - 10, PARAMS, INPUTS, None)


def sent(generation: Generation, piece: Piece, left_s: float | None = None) -> tuple[Generation, int]:
    """What arrives, and its size."""
    order, arrays = submit_message(3, generation, piece, left_s)
    content = framed(pb.ToWorker(orders=[order]), arrays)
    message = pb.ToWorker.FromString(content)
    assert message.orders[0].submit.chunk == 3
    return generation_of(message.orders[0].submit, Payload(message.payload), "other-id", 100.0), len(content)


def test_a_piece_is_a_generation_of_its_own() -> None:
    found, _ = sent(WHOLE, Piece(4, 3))
    assert found.n == 3
    assert found.index == WHOLE.index + 4
    assert (found.request_id, found.caller_id) == ("other-id", WHOLE.request_id)
    assert found.params == PARAMS
    assert {name: type(value) for name, value in found.params.items()} == {k: type(v) for k, v in PARAMS.items()}
    for name, array in INPUTS.items():
        assert found.inputs[name].dtype == array.dtype
        assert np.array_equal(found.inputs[name], array[4:7])
    same = replace(found, request_id="an-id", part_of="", n=10, index=WHOLE.index, params={}, inputs={})
    assert same == replace(WHOLE, params={}, inputs={})


def test_what_rows_share_is_sent_once() -> None:
    image = np.broadcast_to(np.zeros((1, 64, 64), np.float32), (100, 1, 64, 64))
    found, size = sent(replace(WHOLE, n=100, index=0, inputs={"image": image}), Piece(0, 100))
    assert size < 20_000
    assert found.inputs["image"].shape == image.shape


@pytest.mark.parametrize(
    "words",
    [
        {"priority": "bulk"},
        {"tenant": "someone"},
        {"exact": True},
        {"progress_every": 3, "preview_every": 2},
    ],
)
def test_every_word_arrives(words: dict[str, Any]) -> None:
    asked = replace(WHOLE, n=1, index=0, params={}, inputs={}, **words)
    assert sent(asked, Piece(0, 1))[0] == replace(asked, request_id="other-id", part_of=asked.request_id)


def test_deadlines_travel_as_what_is_left() -> None:
    assert sent(WHOLE, Piece(0, 1), left_s=2.5)[0].deadline == 102.5
    assert sent(WHOLE, Piece(0, 1))[0].deadline is None


def test_a_wish_for_news_beyond_64_bits_is_one_for_none() -> None:
    found, _ = sent(replace(WHOLE, progress_every=10**30), Piece(0, 1))
    assert found.progress_every == 2**63 - 1


def test_text_without_bytes_is_refused() -> None:
    with pytest.raises(InvalidArgument, match=r"params\.style") as caught:
        sent(replace(WHOLE, params={"style": "\ud800"}), Piece(0, 1))
    assert caught.value.field == "params.style"


def test_inputs_larger_than_a_message_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orders, "MOST_BYTES", 10)
    with pytest.raises(InvalidArgument, match="n: 10 is not allowed; allowed: 1 ≤ n ≤ 2"):
        sent(WHOLE, Piece(0, 10))


def test_a_parameter_without_a_value_is_no_order() -> None:
    submit = pb.Submit(chunk=1, n=1)
    submit.params["label"].SetInParent()
    with pytest.raises(ValueError, match=r"params\.label"):
        generation_of(submit, Payload(b""), "id", 0.0)
