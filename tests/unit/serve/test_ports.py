"""Ports are looked at before anything starts."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from brood.frontends.servers import PortInUse, listen
from brood.serve.ports import find_ports, is_free


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_taken_port_is_named(taken: int) -> None:
    with pytest.raises(PortInUse) as caught:
        find_ports("127.0.0.1", {"http": 0, "grpc": taken})
    assert str(taken) in str(caught.value)
    assert "--grpc-port" in str(caught.value)


def test_free_ports_stay_free_and_zeros_become_ports(taken: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        free = server.getsockname()[1]
    found = find_ports("127.0.0.1", {"http": free, "grpc": 0})
    assert found["http"] == free
    for port in found.values():
        with socket.create_server(("127.0.0.1", port)):
            pass


def test_one_port_for_two_things_is_an_error(taken: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        free = server.getsockname()[1]
    with pytest.raises(PortInUse):
        find_ports("127.0.0.1", {"http": free, "grpc": free})


def test_an_address_of_another_machine_is_an_error() -> None:
    with pytest.raises(OSError, match="assign"):
        find_ports("192.0.2.1", {"http": 0})


def test_a_shared_port_is_free_when_nobody_listens() -> None:
    shared = listen("127.0.0.1", 0, "http", shared=True)
    port = shared.getsockname()[1]
    assert not is_free("127.0.0.1", port)
    shared.close()
    assert is_free("127.0.0.1", port)
    with pytest.raises(OSError, match="assign"):
        is_free("192.0.2.1", port)
