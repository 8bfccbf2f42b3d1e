"""The HTTP application without a network: a client over ASGI, and answers as arrays."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Sequence
from typing import Any

import httpx2
import numpy as np

from brood.access.gate import Gate, open_gate
from brood.dataplane import DataPlane, Limits
from brood.frontends.http.app import HttpOptions, build_app
from brood.protocol.models import ModelStatus
from helpers.backend import STATUSES, FakeBackend
from helpers.observer import FakeObserver

JSON = {"content-type": "application/json"}


class Service:
    """The application over a fake backend, and a client for it.

    Attributes:
        backend, observer, plane: what is behind the application.
        client: sends to it.
    """

    def __init__(
        self,
        limits: Limits | None = None,
        hosts: frozenset[str] | None = None,
        gate: Gate | None = None,
        *,
        admin: bool = False,
        statuses: Sequence[ModelStatus] = STATUSES,
    ) -> None:
        self.backend, self.observer = FakeBackend(statuses), FakeObserver()
        self.plane = DataPlane(self.backend, limits or Limits(), self.observer, admin=admin)
        self.app = build_app(self.plane, HttpOptions(hosts, gate or open_gate()))
        self.client = httpx2.AsyncClient(transport=httpx2.ASGITransport(self.app), base_url="http://localhost")

    async def generate(self, request: Any, **headers: str) -> httpx2.Response:
        """Send a body to ``/v1/generations``; NaN and infinities are written as Python and JavaScript do."""
        return await self.client.post("/v1/generations", content=json.dumps(request), headers=JSON | headers)

    async def close(self) -> None:
        """Let go of everything."""
        await self.client.aclose()
        self.plane.close()


def error_of(response: httpx2.Response) -> dict[str, Any]:
    """The error in an answer."""
    error: dict[str, Any] = response.json()["error"]
    return error


def array_of(output: Any) -> np.ndarray:
    """An output of a JSON answer as an array; numbers become arrays without axes."""
    if not isinstance(output, dict):
        return np.asarray(output)
    content = base64.b64decode(output["b64"], validate=True)
    if output["format"] == "npy":
        array: np.ndarray = np.load(io.BytesIO(content), allow_pickle=False)
        return array
    return np.frombuffer(content, output["dtype"]).reshape(output["shape"])
