"""What cannot be sent is refused before it is, in the same words for every transport."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest

from brood_client import Client, InvalidArgument, Options
from brood_client._request import request_of


def asked(**options: Any) -> Any:
    return request_of("tiny", "generate", cast("Options", options))


@pytest.mark.parametrize(
    ("options", "field", "found"),
    [
        ({"n": "3"}, "n", '"3"'),
        ({"n": 3.0}, "n", "3.0"),
        ({"n": None}, "n", "null"),
        ({"n": True}, "n", "true"),
        ({"n": 2**63}, "n", "9223372036854775808"),
        ({"seed": 1.5}, "seed", "1.5"),
        ({"index": "x" * 200}, "index", '"xxx'),
        ({"version": "1"}, "version", '"1"'),
        ({"priority": 1}, "priority", "1"),
        ({"determinism": True}, "determinism", "true"),
        ({"format": 1}, "output.format", "1"),
        ({"quality": "high"}, "output.quality", '"high"'),
        ({"params": [1]}, "params", "[1]"),
        ({"params": {3: 3}}, "a name in params", "3"),
        ({"params": {"label": None}}, "params.label", "null"),
        ({"params": {"label": [1]}}, "params.label", "[1]"),
        ({"params": {"label": np.arange(2)}}, "params.label", "array([0, 1])"),
        ({"params": {"label": 2**64}}, "params.label", "18446744073709551616"),
        ({"inputs": [1]}, "inputs", "[1]"),
        ({"request_id": "two words"}, "request_id", '"two words"'),
        ({"request_id": "é"}, "request_id", '"é"'),
        ({"idempotency_key": "two words"}, "Idempotency-Key", '"two words"'),
        ({"idempotency_key": 5}, "Idempotency-Key", "5"),
        ({"idempotency_key": "x" * 256}, "Idempotency-Key", '"xxx'),
    ],
)
def test_what_no_transport_carries(options: dict[str, Any], field: str, found: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        asked(**options)
    assert caught.value.field == field
    assert caught.value.message.startswith(f"{field}: {found}")
    assert "is not allowed; allowed: " in caught.value.message
    assert len(caught.value.message) < 250


def test_numbers_of_numpy_are_numbers() -> None:
    request = asked(n=np.int64(3), seed=np.uint8(7), params={"label": np.array(4), "temperature": np.float32(0.5)})
    assert (request.n, request.seed, request.params) == (3, 7, {"label": 4, "temperature": 0.5})


def test_what_it_means_the_server_knows() -> None:
    request = asked(n=-1, seed=-5, priority="urgent", format="gif", quality=500, params={"label": float("nan")})
    assert (request.n, request.format) == (-1, "gif")


@pytest.mark.parametrize("url", ["http://h:1", "grpc://h:1"])
def test_models_and_ids(url: str) -> None:
    given: Any = None
    with Client(url) as client:
        with pytest.raises(InvalidArgument, match="model: null is not allowed; allowed: a string"):
            client.model(given)
        with pytest.raises(InvalidArgument, match=r'version: "1" is not allowed'):
            client.model("m", cast("Any", "1"))
        with pytest.raises(InvalidArgument, match="model: null is not allowed"):
            client.generate(given)
        for request_id in ("", given):
            with pytest.raises(InvalidArgument, match=r"id: .* allowed: 1 to 128 printable ASCII characters"):
                client.cancel(request_id)


@pytest.mark.parametrize("url", ["http://h:1", "grpc://h:1"])
def test_headers_that_cannot_be_sent(url: str) -> None:
    with pytest.raises(ValueError, match="api_key: this one is not allowed; allowed: printable ASCII"):
        Client(url, api_key="schlüssel")
    with pytest.raises(ValueError, match="headers: 'x y' is not allowed so"):
        Client(url, headers={"x y": "1"})
    with pytest.raises(ValueError, match="headers: 'x' is not allowed so"):
        Client(url, headers={"X": "a\nb"})
