"""Which addresses others reach."""

from __future__ import annotations

import pytest

from brood.access.exposure import complaint, is_loopback


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost", "LOCALHOST"])
def test_only_this_machine(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.7", "192.0.2.1", "fe80::1", "brood.example.org", "", "*"])
def test_others(host: str) -> None:
    assert not is_loopback(host)


def test_the_three_ways_out() -> None:
    text = complaint("0.0.0.0")
    for way in ("0.0.0.0", "brood keys create", "--keys-file", "--host 127.0.0.1", "--insecure"):
        assert way in text
    assert "\n" not in text
