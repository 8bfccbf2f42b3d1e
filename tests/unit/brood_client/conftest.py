"""A server of either kind over a fake backend, and clients to it: blocking and for asyncio."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from brood.dataplane import DataPlane, Limits
from brood_client import AsyncClient, Client
from helpers.backend import FakeBackend
from helpers.ends import Ends
from helpers.proxy import line_to
from helpers.sdk import SERVERS, Service


@pytest.fixture(params=SERVERS)
async def service(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Service]:
    monkeypatch.setattr("brood_client._retry.FIRST_S", 0.001)
    backend = FakeBackend()
    plane = DataPlane(backend, Limits(), Ends())
    async with SERVERS[request.param](plane) as target, line_to(target) as line:
        url = f"{request.param}://127.0.0.1:{line.port}"
        async with AsyncClient(url) as aclient:
            with Client(url) as client:
                yield Service(backend, line, url, client, aclient)
    plane.close()
