"""grpc.health.v1: serving exactly while the data plane is ready."""

from dataclasses import replace

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from brood.dataplane import DataPlane
from helpers.backend import FakeBackend

SERVING, NOT_SERVING = HealthCheckResponse.SERVING, HealthCheckResponse.NOT_SERVING


@pytest.fixture
def health(channel: grpc.aio.Channel) -> HealthStub:
    return HealthStub(channel)


def finish_loading(backend: FakeBackend) -> None:
    backend.statuses = [
        replace(status, state="ready") if status.state == "loading" else status for status in backend.statuses
    ]


@pytest.mark.parametrize("service", ["", "brood.v1.Generator", "inference.GRPCInferenceService"])
async def test_check_follows_readiness(
    health: HealthStub, backend: FakeBackend, plane: DataPlane, service: str
) -> None:
    request = HealthCheckRequest(service=service)
    assert (await health.Check(request)).status == NOT_SERVING
    finish_loading(backend)
    assert (await health.Check(request)).status == SERVING
    plane.stop_accepting()
    assert (await health.Check(request)).status == NOT_SERVING


async def test_check_of_an_unknown_service(health: HealthStub) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await health.Check(HealthCheckRequest(service="brood.v2.Generator"))
    assert caught.value.code() == grpc.StatusCode.NOT_FOUND
    known = "'', 'brood.v1.Generator', 'inference.GRPCInferenceService'"
    assert caught.value.details() == f"no service 'brood.v2.Generator'; there are: {known}"


async def test_watch_tells_of_every_change(health: HealthStub, backend: FakeBackend) -> None:
    watch = health.Watch(HealthCheckRequest(service="brood.v1.Generator"))
    updates = aiter(watch)
    assert (await anext(updates)).status == NOT_SERVING
    finish_loading(backend)
    assert (await anext(updates)).status == SERVING
    backend.statuses = []
    assert (await anext(updates)).status == NOT_SERVING
    watch.cancel()


async def test_watch_ends_when_the_server_stops(health: HealthStub, backend: FakeBackend, plane: DataPlane) -> None:
    finish_loading(backend)
    updates = aiter(health.Watch(HealthCheckRequest()))
    assert (await anext(updates)).status == SERVING
    plane.stop_accepting()
    assert [update.status async for update in updates] == [NOT_SERVING]


async def test_watch_of_an_unknown_service_stays_open(health: HealthStub) -> None:
    watch = health.Watch(HealthCheckRequest(service="brood.v2.Generator"))
    assert (await anext(aiter(watch))).status == HealthCheckResponse.SERVICE_UNKNOWN
    assert not watch.done()
    watch.cancel()
