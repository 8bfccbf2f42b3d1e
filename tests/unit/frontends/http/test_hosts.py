"""Which names a server answers to."""

from __future__ import annotations

import pytest

from brood.frontends.http.hosts import LOOPBACK, in_authority, own_names


def test_a_server_on_loopback_has_its_own_names_and_those_it_is_given() -> None:
    assert own_names("127.0.0.1", ()) == LOOPBACK
    assert own_names("127.0.0.5", ("Brood.Test",)) == LOOPBACK | {"127.0.0.5", "brood.test"}
    assert own_names("::1", ()) == LOOPBACK


@pytest.mark.parametrize("host", ["0.0.0.0", "10.0.0.7", "brood.example.org"])
def test_elsewhere_any_name_will_do(host: str) -> None:
    assert own_names(host, ("brood.test",)) is None


@pytest.mark.parametrize(("host", "text"), [("::1", "[::1]"), ("10.0.0.7", "10.0.0.7"), ("LocalHost", "localhost")])
def test_as_it_stands_in_front_of_a_port(host: str, text: str) -> None:
    assert in_authority(host) == text
