"""Models of a server are loaded, unloaded and reloaded by both clients, over both transports."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from brood.dataplane import DataPlane, Limits
from brood_client import AsyncClient, Client, ModelNotFound, PermissionDenied
from helpers.backend import FakeBackend
from helpers.ends import Ends
from helpers.proxy import line_to
from helpers.sdk import SERVERS, Service


@pytest.fixture(params=SERVERS)
async def admin(request: pytest.FixtureRequest) -> AsyncIterator[Service]:
    backend = FakeBackend()
    plane = DataPlane(backend, Limits(), Ends(), admin=True)
    async with SERVERS[request.param](plane) as target, line_to(target) as line:
        url = f"{request.param}://127.0.0.1:{line.port}"
        async with AsyncClient(url, retries=0) as aclient:
            with Client(url, retries=0) as client:
                yield Service(backend, line, url, client, aclient)
    plane.close()


async def test_models_are_changed(admin: Service) -> None:
    found = await admin.call(lambda client: client.unload_model("tiny", 2))
    assert [(model.version, model.state) for model in found] == [(1, "ready"), (2, "unloaded")]
    found = await admin.aclient.load_model("tiny")
    assert [(model.version, model.state) for model in found] == [(1, "ready"), (2, "ready")]
    assert found[1].operations
    await admin.aclient.reload_model("tiny")
    await admin.call(lambda client: client.reload_model("tiny", 2))
    assert admin.backend.reloaded == [("tiny", None), ("tiny", 2)]
    await admin.aclient.unload_model("tiny")
    assert {status.state for status in admin.backend.statuses if status.name == "tiny"} == {"unloaded"}


async def test_what_there_is_not_cannot_be_changed(admin: Service) -> None:
    error = await admin.error(lambda client: client.load_model("tinny"))
    assert isinstance(error, ModelNotFound)
    with pytest.raises(ModelNotFound, match="no version 9"):
        await admin.aclient.unload_model("tiny", 9)


async def test_the_server_must_allow_it(service: Service) -> None:
    with pytest.raises(PermissionDenied, match="to load models is not allowed here"):
        await service.aclient.load_model("tiny")
