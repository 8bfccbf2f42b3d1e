"""Importing the client is nearly free: what it needs is imported when it is used."""

from __future__ import annotations

import subprocess
import sys

import pytest

import brood_client

HEAVY = {"numpy", "httpx2", "grpc", "google.protobuf", "PIL", "tqdm", "asyncio", "brood.protocol", "pydantic"}


def loaded(code: str) -> set[str]:
    """Which heavy modules some code loads."""
    command = [sys.executable, "-c", f"{code}\nimport sys; print(*sys.modules)"]
    return HEAVY & set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())


def test_the_package_loads_nothing() -> None:
    assert loaded("import brood_client") == set()
    assert loaded("from brood_client import Overloaded") == set()


def test_a_client_loads_its_own_transport_only() -> None:
    assert not loaded("from brood_client import Client") & {"httpx2", "grpc", "google.protobuf", "PIL"}
    assert not loaded("from brood_client import Client; Client('http://h:1')") & {"grpc", "google.protobuf", "PIL"}
    assert not loaded("from brood_client import Client; Client('grpc://h:1')") & {"httpx2", "PIL", "pydantic"}


def test_every_public_name_is_there() -> None:
    assert {name for name in brood_client.__all__ if getattr(brood_client, name) is None} == set()
    assert sorted(brood_client.__all__) == brood_client.__all__ == dir(brood_client)
    with pytest.raises(AttributeError, match="module 'brood_client' has no attribute 'Clint'"):
        _ = brood_client.Clint
