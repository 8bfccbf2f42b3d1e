"""A gRPC server in this process over the fake backend, and a channel to it."""

from collections.abc import AsyncIterator

import grpc
import pytest

from brood.dataplane import DataPlane, Limits
from helpers.backend import FakeBackend
from helpers.ends import Ends
from helpers.grpc_server import grpc_server


@pytest.fixture
def ends() -> Ends:
    return Ends()


@pytest.fixture
def backend() -> FakeBackend:
    return FakeBackend()


@pytest.fixture
async def plane(backend: FakeBackend, ends: Ends) -> AsyncIterator[DataPlane]:
    plane = DataPlane(backend, Limits(max_body_bytes=2**20), ends, required=("tiny",))
    yield plane
    plane.close()


@pytest.fixture
async def channel(plane: DataPlane) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc_server(plane) as target, grpc.aio.insecure_channel(target) as channel:
        yield channel
