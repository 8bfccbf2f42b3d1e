"""From settings to who is let in."""

from __future__ import annotations

from pathlib import Path

import pytest

from brood.access.file import KeysFileError
from brood.dataplane import Limits, ReplayLimits
from brood.frontends.tls import Tls
from brood.protocol.errors import HostRefused, PermissionDenied, Unauthenticated
from brood.serve.entrance import gate_of, limits_of, scrape_check, tls_of
from brood.settings import Settings
from helpers.access import Keys

OWN = frozenset({"localhost"})


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return Keys(tmp_path)


def test_without_a_file_no_key_is_asked_for() -> None:
    assert gate_of(Settings()).enter("admin", None, None).key_id == ""


def test_with_a_file_one_is(keys: Keys) -> None:
    gate = gate_of(Settings(keys_file=keys.path))
    assert gate.enter("generate", keys.bearer("studio"), None).name == "studio"
    with pytest.raises(Unauthenticated):
        gate.enter("generate", None, None)


def test_a_file_that_is_not_there_fails_the_start(tmp_path: Path) -> None:
    with pytest.raises(KeysFileError, match="No such file"):
        gate_of(Settings(keys_file=tmp_path / "none"))


def test_limits() -> None:
    assert limits_of(Settings()) == Limits()
    settings = Settings(
        max_n=1,
        max_body_bytes=2048,
        body_idle_s=3,
        body_total_s=4,
        replay_keep_s=5,
        replay_max_count=6,
        replay_max_bytes=7,
    )
    limits = limits_of(settings)
    assert (limits.max_n, limits.max_body_bytes, limits.body_idle_s, limits.body_total_s) == (1, 2048, 3.0, 4.0)
    assert limits.replays == ReplayLimits(keep_s=5.0, max_count=6, max_bytes=7)


def test_certificates(tmp_path: Path) -> None:
    cert, key, ca = (tmp_path / name for name in ("cert", "key", "ca"))
    assert tls_of(Settings()) is None
    assert tls_of(Settings(tls_cert=cert, tls_key=key)) == Tls(cert, key)
    assert tls_of(Settings(tls_cert=cert, tls_key=key, tls_client_ca=ca)) == Tls(cert, key, ca)


def test_a_scrape_is_for_this_server_and_has_its_own_scope(keys: Keys) -> None:
    check = scrape_check(gate_of(Settings(keys_file=keys.path)), OWN)
    check("localhost:9464", keys.bearer("scraper"), None)
    check("localhost", None, keys.secrets["scraper"])
    with pytest.raises(HostRefused):
        check("evil.example", keys.bearer("scraper"), None)
    with pytest.raises(Unauthenticated):
        check("localhost", None, None)
    with pytest.raises(PermissionDenied, match="needed: metrics"):
        check("localhost", keys.bearer("studio"), None)


def test_a_scrape_without_keys_is_still_for_this_server() -> None:
    scrape_check(gate_of(Settings()), OWN)("localhost", None, None)
    scrape_check(gate_of(Settings()), None)("brood.example.org", None, None)
    with pytest.raises(HostRefused):
        scrape_check(gate_of(Settings()), OWN)("evil.example", None, None)
