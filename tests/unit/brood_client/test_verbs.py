"""What the verbs ask for, without a server."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest

from brood_client import Client, Generation, Model, Sample
from brood_client._request import Request


class FakeTransport:
    """Remembers what it is asked for."""

    def __init__(self) -> None:
        self.asked: list[Request] = []

    def generate(self, request: Request, left_s: float | None) -> Generation:
        """See `Transport`."""
        self.asked.append(request)
        samples = (Sample(request.index, request.seed, {}),)
        return Generation("id", request.model, 1, request.operation, request.seed, "exact", samples)

    def model(self, name: str, version: int | None, left_s: float | None) -> Model:
        """See `Transport`."""
        return Model(name, 1, "ready")


@pytest.mark.parametrize(
    ("verb", "operation", "n", "params", "inputs"),
    [
        (
            lambda client: client.interpolate("m", 5, seed=1, seed_to=2),
            "interpolate",
            5,
            {"frames": 5, "seed_to": 2},
            [],
        ),
        (
            lambda client: client.interpolate("m", 3, params={"label": 4}),
            "interpolate",
            3,
            {"label": 4, "frames": 3},
            [],
        ),
        (lambda client: client.complete("m", [0.5], params={"given": 7}), "complete", 1, {"given": 7}, ["image"]),
        (lambda client: client.complete("m", [0.5], mask=[1.0], n=2), "complete", 2, {}, ["image", "mask"]),
        (lambda client: client.vary("m", inputs={"point": [1.0, 2.0]}), "vary", 1, {}, ["point"]),
        (lambda client: client.vary("m", [0.5], strength=0.3), "vary", 1, {"strength": 0.3}, ["image"]),
        (lambda client: client.score("m", [0.5]), "score", 1, {}, ["image"]),
        (lambda client: client.run("m", "decode", inputs={"latent": [0.5]}), "decode", 1, {}, ["latent"]),
    ],
)
def test_what_is_asked_for(
    monkeypatch: pytest.MonkeyPatch,
    verb: Callable[[Client], Generation],
    operation: str,
    n: int,
    params: dict[str, Any],
    inputs: list[str],
) -> None:
    transport = FakeTransport()
    monkeypatch.setattr("brood_client._sync.client.transport_to", lambda endpoint: transport)
    verb(Client("http://h:1"))
    [asked] = transport.asked
    assert (asked.operation, asked.n, asked.params, sorted(asked.inputs)) == (operation, n, params, inputs)


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "brood_client._sync.http", raising=False)
    monkeypatch.setitem(sys.modules, "httpx2", None)
    with pytest.raises(ImportError, match=r"http://h:1 needs httpx2: pip install 'brood\[client\]'"):
        Client("http://h:1")
