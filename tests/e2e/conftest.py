"""One server of the shipped models, as a new user starts it, for all tests that only ask it something."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from brood_client import Client
from helpers.served import Served


@pytest.fixture(scope="session")
def shipped() -> Iterator[Served]:
    server = Served()
    yield server
    server.end()


@pytest.fixture
def http(shipped: Served) -> Iterator[Client]:
    with Client(f"http://127.0.0.1:{shipped.http_port}") as client:
        yield client


@pytest.fixture
def grpc(shipped: Served) -> Iterator[Client]:
    with Client(f"grpc://127.0.0.1:{shipped.grpc_port}") as client:
        yield client
