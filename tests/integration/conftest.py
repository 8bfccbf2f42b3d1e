"""One server for all tests that only ask it something."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from brood_client import Client
from helpers.bundles import broken_bundles, once_bundle, steps_bundle
from helpers.served import Served


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two good models, and one for each way to be refused."""
    root = tmp_path_factory.mktemp("store")
    once_bundle(root)
    steps_bundle(root)
    broken_bundles(root)
    return root


@pytest.fixture(scope="session")
def served(store: Path) -> Iterator[Served]:
    server = Served("--models", str(store))
    yield server
    server.end()


@pytest.fixture
def over_http(served: Served) -> Iterator[Client]:
    with Client(f"http://127.0.0.1:{served.http_port}") as client:
        yield client


@pytest.fixture
def over_grpc(served: Served) -> Iterator[Client]:
    with Client(f"grpc://127.0.0.1:{served.grpc_port}") as client:
        yield client
